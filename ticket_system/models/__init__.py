"""What the ticket system keeps: packages, tickets, their parts and files, and whom it trusts."""

from ticket_system.models.artifacts import SubTicketArtifact, TicketArtifact
from ticket_system.models.deliveries import Delivery
from ticket_system.models.idempotency import IdempotencyKey
from ticket_system.models.incoming import IncomingFile, ListedFile
from ticket_system.models.packages import BinaryPackage, SourcePackage, SourcePackageUpload
from ticket_system.models.tickets import SubTicket, Ticket, Transition
from ticket_system.models.uploaders import TrustedUploader
from ticket_system.models.workflow import Status, WorkflowStep

__all__ = [
    "BinaryPackage",
    "Delivery",
    "IdempotencyKey",
    "IncomingFile",
    "ListedFile",
    "SourcePackage",
    "SourcePackageUpload",
    "Status",
    "SubTicket",
    "SubTicketArtifact",
    "Ticket",
    "TicketArtifact",
    "Transition",
    "TrustedUploader",
    "WorkflowStep",
]
