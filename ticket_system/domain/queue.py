"""Queues a ticket: everything it brings is verified, then it waits for the lander."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from ci_utils.api.tokens import Principal
from ci_utils.archive.port import Archives
from ci_utils.data_store.port import DataStores
from ci_utils.errors import Conflict, InvalidRequest
from ci_utils.work_queue import requests
from ci_utils.work_queue.broker import Broker
from ticket_system.domain.access import find_ticket, locked_ticket, require_change, require_new
from ticket_system.domain.progress import Report, move_ticket
from ticket_system.domain.uploads import check_additions, check_sources, source_store, verify_upload
from ticket_system.models import SubTicketArtifact, Ticket, WorkflowStep

QUEUE = "ticket_system"


def work_key(ticket_id: int) -> str:
    """The name of a ticket's work here, and of its request to the lander."""
    return f"ticket-{ticket_id}"


def queue_ticket(
    *, ticket_id: int, by: Principal, stores: DataStores, archives: Archives, broker: Broker
) -> Ticket:
    """Verify a new ticket and hand it to the queue; one that was queued already stays as it is.

    Raises `UploadRejected` or `InvalidRequest` with the sentence that names
    the file or package, and then nothing has changed. No transaction is open
    while the files are read; whether the list of them has changed meanwhile is
    asked again at the end, and that what is built is what was read here is
    seen by its checksums.
    """
    ticket = find_ticket(ticket_id, by=by)
    require_change(ticket, by=by)
    if _lands(ticket):
        return ticket
    require_new(ticket)
    contents = _contents(ticket)
    checksums = verify_ticket(ticket, stores=stores, archives=archives)
    with transaction.atomic():
        ticket = locked_ticket(ticket_id, by=by)
        if _lands(ticket):
            return ticket
        require_new(ticket)
        if _contents(ticket) != contents:
            raise Conflict(f"ticket {ticket_id} was changed while it was verified; queue it again")
        ticket.queued_at = timezone.now()
        ticket.checksums = checksums
        move_ticket(ticket, Report(step=WorkflowStep.QUEUED))
        requests.accept(QUEUE, work_key(ticket_id), {"ticket_id": ticket_id}, broker=broker)
    return ticket


def verify_ticket(ticket: Ticket, *, stores: DataStores, archives: Archives) -> dict[str, str]:
    """Check all that a ticket brings, from its stored files; their SHA-256 by name.

    Raises `UploadRejected` or `InvalidRequest` with the sentence that names the file or package.
    """
    subtickets = ticket.subtickets.select_related("source_package_upload__sourcepackage")
    uploads = [subticket.source_package_upload for subticket in subtickets]
    if not uploads:
        raise InvalidRequest(f"ticket {ticket.pk} has no source package; add one before it is queued")
    check_sources([(upload.sourcepackage.name, upload.version) for upload in uploads], archives=archives)
    store = source_store(ticket, stores)
    verified = [verify_upload(s, store=store) for s in subtickets.prefetch_related("artifacts")]
    built = {name for upload in verified for name in upload.control.binaries}
    check_additions(ticket.add_packages, built=built, series=ticket.series, archives=archives)
    return {name: sha256 for upload in verified for name, sha256 in upload.checksums.items()}


def _lands(ticket: Ticket) -> bool:
    """Whether the ticket was queued and has not ended: then this is a request that comes again."""
    return ticket.queued_at is not None and ticket.ended_at is None


def _contents(ticket: Ticket) -> list[tuple[int, str | None]]:
    """The files of all subtickets, as far as they decide what is built."""
    files = SubTicketArtifact.objects.filter(subticket__ticket=ticket, type=SubTicketArtifact.Type.SPU)
    return [
        *((pk, None) for pk in ticket.subtickets.values_list("pk", flat=True)),
        *files.values_list("subticket_id", "name"),
    ]
