"""Makes a ticket with its packages, uploads and subtickets in one call, or nothing.

Specification: "TODO: Bundle the ticket creation API".
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import IntegrityError, transaction

from ci_utils.api.tokens import Principal, Scope
from ci_utils.archive.port import Archives
from ci_utils.data_store.port import DataStore, DataStores
from ci_utils.errors import UploadRejected
from ci_utils.source_package.changes import SourceChanges, read_changes
from ci_utils.source_package.dsc import parse_dsc
from ticket_system.domain.artifacts import UPLOAD_SECONDS
from ticket_system.domain.idempotency import KeyedRequest, made_before, remember
from ticket_system.domain.packages import add_source_packages
from ticket_system.domain.tickets import TicketDraft, create_ticket
from ticket_system.domain.uploaders import keyring
from ticket_system.domain.uploads import check_additions, check_sources, new_source_store, source_store
from ticket_system.models import SourcePackageUpload, SubTicket, SubTicketArtifact, Ticket, WorkflowStep


@dataclass(frozen=True)
class SourceDraft:
    """The texts of an upload's .changes and, if it is given, of its .dsc."""

    changes_name: str
    changes: str
    dsc: str = ""


@dataclass(frozen=True)
class ExpectedSource:
    """A subticket and the signed URLs that take its files by PUT, by file name."""

    subticket: SubTicket
    source: str
    version: str
    uploads: dict[str, str]


@dataclass(frozen=True)
class Bundle:
    """A ticket and what is expected for it; `new` unless the same request made it before."""

    ticket: Ticket
    sources: list[ExpectedSource]
    new: bool = True


def create_bundle(
    *,
    draft: TicketDraft,
    sources: Sequence[SourceDraft],
    by: Principal,
    stores: DataStores,
    archives: Archives,
    request: KeyedRequest | None = None,
) -> Bundle:
    """Check the .changes, then make everything in one transaction.

    The ticket is new: it is queued once its files are there. Raises
    `UploadRejected` or `InvalidRequest` with a sentence that names the file or
    package. Which packages a source builds is known from its .dsc; without
    that, unknown packages to add are refused when the ticket is queued.

    A `request` that made a ticket before is answered with that ticket and new
    URLs for its files, as long as it takes files; `Conflict` if its key stands
    for another request.
    """
    by.require(Scope.SUBMIT)
    if request and (before := made_before(request, by=by)):
        return _again(before, stores)
    uploads = checked_uploads(draft, sources, archives=archives)
    stores.check()  # one that is away is noticed before the database is held
    try:
        return make_bundle(draft=draft, uploads=uploads, by=by, stores=stores, request=request)
    except IntegrityError:
        # The same request came at the same time, and the other one was first.
        before = made_before(request, by=by) if request else None
        if before is None:
            raise
        return _again(before, stores)


def checked_uploads(
    draft: TicketDraft, sources: Sequence[SourceDraft], *, archives: Archives
) -> list[SourceChanges]:
    """The .changes of all sources, if nothing speaks against them; asks gpgv and the archive.

    Raises `UploadRejected` or `InvalidRequest` with a sentence that names the file or package.
    """
    trusted = keyring()
    uploads = [read_changes(s.changes.encode(), s.changes_name, trusted) for s in sources]
    check_sources([(changes.source, changes.version) for changes in uploads], archives=archives)
    if all(source.dsc for source in sources):
        built = {name for s, changes in zip(sources, uploads, strict=True) for name in _built(s, changes)}
        check_additions(draft.add_packages, built=built, series=draft.series, archives=archives)
    return uploads


def make_bundle(
    *,
    draft: TicketDraft,
    uploads: Sequence[SourceChanges],
    by: Principal,
    stores: DataStores,
    request: KeyedRequest | None = None,
) -> Bundle:
    """Make a ticket of `checked_uploads` in one transaction; `IntegrityError` if its key is there already."""
    with transaction.atomic():
        ticket = create_ticket(draft=draft, by=by, stores=stores)
        if request:
            remember(request, ticket, by=by)
        return Bundle(ticket, _expect(ticket, uploads, new_source_store(ticket, stores), by=by))


def _again(ticket: Ticket, stores: DataStores) -> Bundle:
    """A ticket that is there, with new URLs for its files unless it has all of them already."""
    store = source_store(ticket, stores)
    found = ticket.subtickets.select_related("source_package_upload__sourcepackage")
    expected = [
        ExpectedSource(
            subticket,
            subticket.source_package_upload.sourcepackage.name,
            subticket.source_package_upload.version,
            {
                file.name: store.upload_url(file.name, UPLOAD_SECONDS)
                for file in subticket.artifacts.all()
                if ticket.step is WorkflowStep.NEW and file.type == SubTicketArtifact.Type.SPU
            },
        )
        for subticket in found.prefetch_related("artifacts")
    ]
    return Bundle(ticket, expected, new=False)


def _built(source: SourceDraft, changes: SourceChanges) -> tuple[str, ...]:
    content = source.dsc.encode()
    if hashlib.sha256(content).hexdigest() != changes.dsc.sha256:
        raise UploadRejected(f"{changes.dsc.name} does not match its SHA-256 checksum in {changes.filename}")
    return parse_dsc(content, changes.dsc.name).binaries


def _expect(
    ticket: Ticket, uploads: Sequence[SourceChanges], store: DataStore, *, by: Principal
) -> list[ExpectedSource]:
    """Make uploads, subtickets and their files, in as many queries for one source as for many."""
    packages = add_source_packages([changes.source for changes in uploads])
    announced = SourcePackageUpload.objects.bulk_create(
        SourcePackageUpload(
            sourcepackage=packages[changes.source], version=changes.version, submitter=by.name
        )
        for changes in uploads
    )
    subtickets = SubTicket.objects.bulk_create(
        SubTicket(ticket=ticket, source_package_upload=upload, assignee=ticket.owner) for upload in announced
    )
    expected = [
        ExpectedSource(
            subticket,
            changes.source,
            changes.version,
            {name: store.upload_url(name, UPLOAD_SECONDS) for name in _names(changes)},
        )
        for subticket, changes in zip(subtickets, uploads, strict=True)
    ]
    SubTicketArtifact.objects.bulk_create(
        SubTicketArtifact(
            subticket=source.subticket,
            type=SubTicketArtifact.Type.SPU,
            name=name,
            reference=store.file_path(name),
            size=sizes.get(name),
        )
        for source, sizes in zip(expected, map(_sizes, uploads), strict=True)
        for name in source.uploads
    )
    return expected


def _sizes(changes: SourceChanges) -> dict[str, int]:
    """The sizes that the files must have."""
    return {file.name: file.size for file in changes.files}


def _names(changes: SourceChanges) -> list[str]:
    return [changes.filename, *(file.name for file in changes.files)]
