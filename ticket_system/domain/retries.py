"""Sends an ended ticket again: a new ticket with the same contents."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import transaction

from ci_utils.api.tokens import Principal
from ci_utils.archive.port import Archives
from ci_utils.data_store.port import DataStores
from ci_utils.errors import Conflict, InvalidRequest, NotFound, UploadRejected
from ci_utils.work_queue.broker import Broker
from ticket_system.domain.access import find_ticket, locked_ticket, require_change
from ticket_system.domain.landing import fail
from ticket_system.domain.queue import queue_ticket, verify_ticket
from ticket_system.domain.uploads import new_source_store, source_store
from ticket_system.models import (
    SourcePackageUpload,
    SubTicket,
    SubTicketArtifact,
    Ticket,
    Transition,
    WorkflowStep,
)

#: What a retry has of the ticket that it repeats.
COPIED = (
    "title",
    "description",
    "owner",
    "bug_id",
    "submitter",
    "private",
    "series",
    "base_image",
    "add_packages",
    "remove_packages",
)


def retry_ticket(
    *, ticket_id: int, by: Principal, stores: DataStores, archives: Archives, broker: Broker
) -> tuple[Ticket, bool]:
    """Queue a copy of a ticket that failed or was cancelled; the copy, and whether it is new.

    The copy belongs to the submitter of the ticket, whoever asks for it. While
    a retry has not ended, asking again gives that one. Everything is verified
    again, so a key that is trusted no longer or a version published meanwhile
    is refused with `UploadRejected`, and then no ticket is made. `Conflict`
    for a ticket that has not ended or has landed.
    """
    ticket = find_ticket(ticket_id, by=by)
    require_change(ticket, by=by)
    _require_failed(ticket)
    verify_ticket(ticket, stores=stores, archives=archives)
    retry, created = _copy_of(ticket, stores)
    if retry.step is WorkflowStep.NEW:
        try:
            _copy_files(ticket, retry, stores)
            retry = queue_ticket(ticket_id=retry.pk, by=by, stores=stores, archives=archives, broker=broker)
        except InvalidRequest as error:
            fail(ticket_id=retry.pk, message=error.message)
            raise
    return retry, created


def _require_failed(ticket: Ticket) -> None:
    if ticket.step is WorkflowStep.COMPLETE:
        raise Conflict(f"{ticket} has landed; send a new version of its packages in a new ticket")
    if not ticket.step.final:
        raise Conflict(
            f"{ticket} has not ended (it is at {ticket.step.label}); cancel it first, or wait for its end"
        )


def _copy_of(ticket: Ticket, stores: DataStores) -> tuple[Ticket, bool]:
    """The open retry of a ticket, made if there is none, with its subtickets but not yet their files."""
    with transaction.atomic():
        locked_ticket(ticket.pk)
        open_retry = ticket.retries.open().first()
        if open_retry:
            return open_retry, False
        retry = Ticket.objects.create(retry_of=ticket, **{name: getattr(ticket, name) for name in COPIED})
        Transition.objects.create(
            ticket=retry, workflow_step=retry.current_workflow_step, status=retry.status
        )
        store = new_source_store(retry, stores)
        for subticket in _subtickets(ticket):
            upload = subticket.source_package_upload
            again = SourcePackageUpload.objects.create(
                sourcepackage=upload.sourcepackage, version=upload.version, submitter=ticket.submitter
            )
            copy = SubTicket.objects.create(
                ticket=retry, source_package_upload=again, assignee=subticket.assignee
            )
            SubTicketArtifact.objects.bulk_create(
                SubTicketArtifact(
                    subticket=copy,
                    type=SubTicketArtifact.Type.SPU,
                    name=name,
                    reference=store.file_path(name),
                )
                for name in _names(subticket)
            )
    return retry, True


def _copy_files(ticket: Ticket, retry: Ticket, stores: DataStores) -> None:
    source, target = source_store(ticket, stores), source_store(retry, stores)
    for subticket in _subtickets(ticket):
        for name in _names(subticket):
            try:
                with source.open_file(name) as stream:
                    target.put_file(name, stream)
            except NotFound:
                raise UploadRejected(f"{name} of {ticket} is not kept any more; make a new ticket") from None


def _subtickets(ticket: Ticket) -> Iterable[SubTicket]:
    return ticket.subtickets.select_related("source_package_upload__sourcepackage").prefetch_related(
        "artifacts"
    )


def _names(subticket: SubTicket) -> list[str]:
    return [file.name for file in subticket.artifacts.all() if file.type == file.Type.SPU]
