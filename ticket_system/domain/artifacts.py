"""Files of tickets and subtickets.

Specification: "Create artifact".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction

from ci_utils.api.tokens import Principal, Scope
from ci_utils.data_store.port import DataStores
from ci_utils.errors import CIError, InvalidRequest, NotFound
from ci_utils.source_package.names import valid_file_name
from ticket_system.domain.access import locked_ticket, require_change, require_new
from ticket_system.domain.uploads import new_source_store
from ticket_system.models import SubTicket, SubTicketArtifact, TicketArtifact

#: How long the files of a ticket may take to come in.
UPLOAD_SECONDS = 24 * 3600


@dataclass(frozen=True, kw_only=True)
class FileReport:
    """A file that somebody tells of: its name, its type and its URL."""

    name: str
    type: str
    reference: str = ""


def add_ticket_artifact(
    *, ticket_id: int, file: FileReport, by: Principal, stores: DataStores
) -> tuple[TicketArtifact, bool]:
    """Attach a file to a ticket, ended or not; also whether it is new. The same name again replaces it."""
    by.require(Scope.SERVICE)
    _require_reference(file)
    found = {"reference": file.reference, "size": _size_of(file, stores)}
    with transaction.atomic():
        ticket = locked_ticket(ticket_id)
        return TicketArtifact.objects.update_or_create(
            ticket=ticket, type=file.type, name=file.name, defaults=found
        )


def add_ticket_artifacts(
    *, ticket_id: int, files: Sequence[FileReport], by: Principal, stores: DataStores
) -> int:
    """Attach many files to a ticket at once, all or none; the number of them. A name again replaces it."""
    by.require(Scope.SERVICE)
    for file in files:
        _require_reference(file)
    sized = [(file, _size_of(file, stores)) for file in files]
    with transaction.atomic():
        ticket = locked_ticket(ticket_id)
        wanted = {
            (file.type, file.name): TicketArtifact(ticket=ticket, size=size, **vars(file))
            for file, size in sized
        }
        TicketArtifact.objects.bulk_create(
            wanted.values(),
            update_conflicts=True,
            unique_fields=["ticket", "type", "name"],
            update_fields=["reference", "size"],
            batch_size=100,
        )
    return len(wanted)


def add_subticket_artifact(
    *, subticket_id: int, file: FileReport, by: Principal, stores: DataStores
) -> tuple[SubTicketArtifact, bool]:
    """Attach results or logs to a subticket, as `add_ticket_artifact` does."""
    by.require(Scope.SERVICE)
    _require_reference(file)
    found = {"reference": file.reference, "size": _size_of(file, stores)}
    with transaction.atomic():
        subticket = _locked_subticket(subticket_id)
        return SubTicketArtifact.objects.update_or_create(
            subticket=subticket, type=file.type, name=file.name, defaults=found
        )


def add_upload_file(
    *, subticket_id: int, file: FileReport, by: Principal, stores: DataStores
) -> tuple[SubTicketArtifact, str, bool]:
    """Add a file to the source package upload of a new ticket.

    Returns the artifact, the signed URL that takes the file by PUT, and
    whether it is new. The reference must be empty or the file's place in the
    ticket's own container: no ticket builds what another one brought.
    """
    stores.check()  # one that is away is noticed before the database is held
    with transaction.atomic():
        subticket = _locked_subticket(subticket_id, by=by)
        require_change(subticket.ticket, by=by)
        require_new(subticket.ticket)
        if not valid_file_name(file.name):
            raise InvalidRequest(f"name: {file.name[:80]!r} is not a plain file name")
        store = new_source_store(subticket.ticket, stores)
        place = store.file_path(file.name)
        if file.reference not in ("", place):
            raise InvalidRequest(f"reference: {file.name} of this ticket belongs at {place}")
        artifact, created = SubTicketArtifact.objects.get_or_create(
            subticket=subticket, type=file.type, name=file.name, defaults={"reference": place}
        )
    return artifact, store.upload_url(file.name, UPLOAD_SECONDS), created


def _require_reference(file: FileReport) -> None:
    if not file.reference:
        raise InvalidRequest("reference: give the URL of the file")


def _size_of(file: FileReport, stores: DataStores) -> int | None:
    """Bytes of a file of the data store; None for any other, and while the store does not answer."""
    try:
        store, name = stores.locate(file.reference)
        return store.file_size(name)
    except CIError:
        return None


def _locked_subticket(subticket_id: int, *, by: Principal | None = None) -> SubTicket:
    """A subticket whose ticket is held against other changes."""
    subticket = SubTicket.objects.filter(pk=subticket_id).first()
    if subticket is None:
        raise NotFound(f"there is no subticket {subticket_id}")
    subticket.ticket = locked_ticket(subticket.ticket_id, by=by)
    return subticket
