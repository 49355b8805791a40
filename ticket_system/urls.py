"""The resources that the host registers under /api/v1/."""

from ticket_system.api.bundle import BundleResource
from ticket_system.api.packages import (
    BinaryPackageResource,
    ProjectDataResource,
    SourcePackageResource,
    SourcePackageUploadResource,
)
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

RESOURCES = [
    TicketResource(),
    FullTicketResource(),
    OpenTicketsResource(),
    TicketStatusResource(),
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
