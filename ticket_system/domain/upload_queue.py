"""Makes tickets of uploads that came by `dput` and are complete."""

from __future__ import annotations

import logging

from django.db import transaction
from django.db.models import QuerySet

from ci_utils.api.tokens import Principal, Scope
from ci_utils.archive.port import Archives
from ci_utils.config import UploadQueueConfig
from ci_utils.data_store.port import DataStores
from ci_utils.errors import CIError, InvalidRequest, NotFound
from ci_utils.source_package.changes import SourceChanges
from ci_utils.work_queue.broker import Broker
from ticket_system.domain.bundles import SourceDraft, checked_uploads, make_bundle
from ticket_system.domain.incoming import (
    contents_of,
    files_listed,
    forget_files,
    forget_old_files,
    incoming_store,
)
from ticket_system.domain.landing import fail
from ticket_system.domain.queue import queue_ticket
from ticket_system.domain.tickets import TicketDraft
from ticket_system.domain.uploads import source_store
from ticket_system.models import IncomingFile, Ticket, WorkflowStep

log = logging.getLogger(__name__)

MAX_DESCRIPTION = 4000


class UploadQueue:
    """The uploads that wait, and what makes tickets of them; `series` is that of the tickets."""

    def __init__(self, *, series: str, stores: DataStores, archives: Archives, broker: Broker) -> None:
        self._series = series
        self._stores = stores
        self._archives = archives
        self._broker = broker

    def take(self, file: IncomingFile) -> Ticket | None:
        """The ticket that is complete by this file, if any; queued.

        Raises `UploadRejected` if the engine does not want what is complete now.
        """
        if file.signer:
            return self._repeated(file) or self._make(file)
        for changes in _waiting_for(file):
            ticket = self._make(changes)
            if ticket:
                return ticket
        return None

    def work_off(self, *, limits: UploadQueueConfig) -> None:
        """Finish what an engine that was killed left half-done, and forget what is too old.

        No upload keeps the others or the space from that, whatever is wrong with it.
        """
        unfinished = IncomingFile.objects.filter(ticket__current_workflow_step=WorkflowStep.NEW)
        for changes in [*_waiting(), *unfinished]:
            try:
                self._make(changes)
            except CIError as error:
                log.warning("the upload %s is refused: %s", changes, error)
            except Exception:
                log.exception("the upload %s met an unexpected error", changes)
        forget_old_files(limits=limits, stores=self._stores)

    def _repeated(self, file: IncomingFile) -> Ticket | None:
        """The ticket of the very same .changes that came before; one that has ended does not count."""
        before = IncomingFile.objects.filter(name=file.name, sha256=file.sha256, ticket__isnull=False)
        for changes in before.select_related("ticket"):
            if changes.ticket and not changes.ticket.ended_at:
                forget_files([file], stores=self._stores)
                return changes.ticket
            forget_files([changes], stores=self._stores)
        return None

    def _make(self, changes: IncomingFile) -> Ticket | None:
        """The queued ticket of a .changes; None as long as a file is missing."""
        try:
            parsed, text = contents_of(changes, stores=self._stores)
        except NotFound:
            return changes.ticket  # another request has refused or replaced it meanwhile
        if not changes.ticket and files_listed(parsed) is None:
            return None
        by = Principal(changes.signer, (Scope.SUBMIT,))
        try:
            ticket = self._ticket_of(changes, parsed, text, by=by)
        except InvalidRequest:
            forget_files([changes], stores=self._stores)
            raise
        return self._queue(ticket, changes, parsed, by=by)

    def _ticket_of(self, changes: IncomingFile, parsed: SourceChanges, text: str, *, by: Principal) -> Ticket:
        """The ticket, new or from a time before; the signature is verified once more when it is made."""
        if changes.ticket:
            return changes.ticket
        draft = self._draft(changes, parsed)
        uploads = checked_uploads(draft, [SourceDraft(changes.name, text)], archives=self._archives)
        self._stores.check()  # all that is slow or away is asked before the database is held
        with transaction.atomic():
            kept = IncomingFile.objects.select_for_update().filter(pk=changes.pk).first()
            if kept is None:
                raise NotFound(f"{changes} is not here any more; upload it again")
            if not kept.ticket:
                kept.ticket = make_bundle(draft=draft, uploads=uploads, by=by, stores=self._stores).ticket
                kept.save()
            return kept.ticket

    def _draft(self, changes: IncomingFile, parsed: SourceChanges) -> TicketDraft:
        return TicketDraft(
            owner=changes.signer,
            title=f"{parsed.source} {parsed.version}",
            description=parsed.changes[:MAX_DESCRIPTION],
            series=self._series,
        )

    def _queue(
        self, ticket: Ticket, changes: IncomingFile, parsed: SourceChanges, *, by: Principal
    ) -> Ticket:
        """Give the ticket its files and queue it; one that is refused here has failed."""
        files = files_listed(parsed) or []
        try:
            self._copy(ticket, [changes, *files])
            ticket = queue_ticket(
                ticket_id=ticket.pk, by=by, stores=self._stores, archives=self._archives, broker=self._broker
            )
        except (InvalidRequest, NotFound) as error:
            ticket.refresh_from_db()
            if ticket.step is not WorkflowStep.NEW:
                return ticket  # another request has done it meanwhile
            fail(ticket_id=ticket.pk, message=error.message)
            raise
        # Another upload that waits may list a file too, as versions share their upstream part.
        forget_files([file for file in files if not _waiting_for(file).exists()], stores=self._stores)
        return ticket

    def _copy(self, ticket: Ticket, files: list[IncomingFile]) -> None:
        source, target = incoming_store(self._stores), source_store(ticket, self._stores)
        for file in files:
            with source.open_file(file.place) as stream:
                target.put_file(file.name, stream)


def _waiting() -> QuerySet[IncomingFile]:
    """The signed .changes that are no tickets yet, oldest first."""
    return IncomingFile.objects.exclude(signer="").filter(ticket=None)


def _waiting_for(file: IncomingFile) -> QuerySet[IncomingFile]:
    """Those of them that list this very file."""
    return _waiting().filter(listed__name=file.name, listed__sha256=file.sha256)
