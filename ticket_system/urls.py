"""The resources that the host registers under /api/v1/, and the address that dput uploads to."""

from django.urls import path

from ticket_system.api.bundle import BundleResource
from ticket_system.api.packages import (
    BinaryPackageResource,
    ProjectDataResource,
    SourcePackageResource,
    SourcePackageUploadResource,
)
from ticket_system.api.queue import QueueResource, TicketCountsResource
from ticket_system.api.reports import UpdateSubTicketStatusResource, UpdateTicketStatusResource
from ticket_system.api.subtickets import (
    SubTicketArtifactResource,
    SubTicketResource,
    TicketArtifactResource,
)
from ticket_system.api.ticket_files import TicketArtifactsResource
from ticket_system.api.tickets import (
    FullTicketResource,
    OpenTicketsResource,
    TicketResource,
    TicketStatusResource,
)
from ticket_system.api.upload_queue import upload_file

PAGES = [path("upload/<str:filename>", upload_file)]
RESOURCES = [
    TicketResource(),
    FullTicketResource(),
    OpenTicketsResource(),
    TicketStatusResource(),
    TicketCountsResource(),
    QueueResource(),
    UpdateTicketStatusResource(),
    UpdateSubTicketStatusResource(),
    SourcePackageUploadResource(),
    SourcePackageResource(),
    BinaryPackageResource(),
    SubTicketResource(),
    TicketArtifactResource(),
    TicketArtifactsResource(),
    SubTicketArtifactResource(),
    BundleResource(),
    ProjectDataResource(),
]
