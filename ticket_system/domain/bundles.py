"""Makes a ticket with its packages, uploads and subtickets in one call, or nothing.

Specification: "TODO: Bundle the ticket creation API".
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction

from ci_utils.api.tokens import Principal, Scope
from ci_utils.archive.port import Archives
from ci_utils.data_store.port import DataStore, DataStores
from ci_utils.errors import UploadRejected
from ci_utils.source_package.changes import SourceChanges, read_changes
from ci_utils.source_package.dsc import parse_dsc
from ticket_system.domain.artifacts import UPLOAD_SECONDS
from ticket_system.domain.packages import add_source_packages
from ticket_system.domain.tickets import TicketDraft, create_ticket
from ticket_system.domain.uploaders import keyring
from ticket_system.domain.uploads import check_additions, check_sources, new_source_store
from ticket_system.models import SourcePackageUpload, SubTicket, SubTicketArtifact, Ticket


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
    changes: SourceChanges
    uploads: dict[str, str]


def create_bundle(
    *,
    draft: TicketDraft,
    sources: Sequence[SourceDraft],
    by: Principal,
    stores: DataStores,
    archives: Archives,
) -> tuple[Ticket, list[ExpectedSource]]:
    """Check the .changes, then make everything in one transaction.

    The ticket is new: it is queued once its files are there. Raises
    `UploadRejected` or `InvalidRequest` with a sentence that names the file or
    package. Which packages a source builds is known from its .dsc; without
    that, unknown packages to add are refused when the ticket is queued.
    """
    by.require(Scope.SUBMIT)
    trusted = keyring()
    uploads = [read_changes(s.changes.encode(), s.changes_name, trusted) for s in sources]
    check_sources([(changes.source, changes.version) for changes in uploads], archives=archives)
    if all(source.dsc for source in sources):
        built = {name for s, changes in zip(sources, uploads, strict=True) for name in _built(s, changes)}
        check_additions(draft.add_packages, built=built, series=draft.series, archives=archives)
    with transaction.atomic():
        ticket = create_ticket(draft=draft, by=by)
        store = new_source_store(ticket, stores)
        return ticket, _expect(ticket, uploads, store, by=by)


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
            subticket, changes, {name: store.upload_url(name, UPLOAD_SECONDS) for name in _names(changes)}
        )
        for subticket, changes in zip(subtickets, uploads, strict=True)
    ]
    SubTicketArtifact.objects.bulk_create(
        SubTicketArtifact(
            subticket=source.subticket,
            type=SubTicketArtifact.Type.SPU,
            name=name,
            reference=store.file_path(name),
        )
        for source in expected
        for name in source.uploads
    )
    return expected


def _names(changes: SourceChanges) -> list[str]:
    return [changes.filename, *(file.name for file in changes.files)]
