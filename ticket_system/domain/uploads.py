"""What must be true of the source packages of a ticket before anything is built.

Specification: "Specification of a source package" and "Constraints" (signed,
by somebody with the permission to upload, with a version bump).
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from debian.debian_support import Version

from ci_utils.archive.port import Archives
from ci_utils.data_store.port import DataStore, DataStores
from ci_utils.errors import InvalidRequest, NotFound, UploadRejected
from ci_utils.source_package.changes import SourceChanges, read_changes
from ci_utils.source_package.control import MAX_BYTES
from ci_utils.source_package.dsc import SourceControl, check_files
from ticket_system.domain.uploaders import keyring
from ticket_system.models import SubTicket, Ticket


def source_store(ticket: Ticket, stores: DataStores) -> DataStore:
    """Where the files of a ticket's source packages are."""
    return stores.open(f"ticket.{ticket.pk}", "sources", public=not ticket.private)


def new_source_store(ticket: Ticket, stores: DataStores) -> DataStore:
    """The same for a ticket that is being made: as visible as the ticket, whatever was there before.

    A ticket whose making was rolled back leaves an empty container under a number that is used again.
    """
    store = source_store(ticket, stores)
    store.change_container_visibility(public=not ticket.private)
    return store


def check_sources(sources: Collection[tuple[str, str]], *, archives: Archives) -> None:
    """Raise `UploadRejected` for a source that comes twice or is not newer than the published one."""
    published = archives.versions(archives.destination(), {name for name, _ in sources})
    seen = set()
    for name, version in sources:
        if name in seen:
            raise UploadRejected(f"the ticket has the source package {name} twice; keep one upload of it")
        seen.add(name)
        if name in published and Version(version) <= Version(published[name]):
            raise UploadRejected(
                f"{name} {version} is not higher than the published version {published[name]}; "
                "add a changelog entry with a higher version"
            )


def check_additions(names: Iterable[str], *, built: Collection[str], series: str, archives: Archives) -> None:
    """Raise `InvalidRequest` for names to add that neither the ticket builds nor the archive has."""
    unknown = archives.unknown_binaries([name for name in names if name not in built], series=series)
    if unknown:
        raise InvalidRequest(
            f"add_packages: no binary package is named {', '.join(unknown)}, neither in {series} nor in "
            "what the ticket's sources build"
        )


@dataclass(frozen=True)
class VerifiedUpload:
    """What the .dsc of an upload says, and the SHA-256 of all its files by name."""

    control: SourceControl
    checksums: dict[str, str]


def verify_upload(subticket: SubTicket, *, store: DataStore) -> VerifiedUpload:
    """Check the uploaded files of one source package: signature, completeness, sizes, checksums.

    Streams the files. Raises `UploadRejected` with a sentence that names the file.
    """
    names = {artifact.name for artifact in subticket.artifacts.all() if artifact.type == artifact.Type.SPU}
    changes, sha256 = _uploaded_changes(subticket, names, store)
    upload = subticket.source_package_upload
    if (changes.source, changes.version) != (upload.sourcepackage.name, upload.version):
        raise UploadRejected(
            f"{changes.filename} is of {changes.source} {changes.version}, but {subticket} is for {upload}"
        )
    for stray in sorted(names - {file.name for file in changes.files} - {changes.filename}):
        raise UploadRejected(f"{stray} was uploaded, but {changes.filename} does not list it")

    control = check_files(changes, store.open_file)
    return VerifiedUpload(control, {changes.filename: sha256, **{f.name: f.sha256 for f in changes.files}})


def _uploaded_changes(
    subticket: SubTicket, names: Collection[str], store: DataStore
) -> tuple[SourceChanges, str]:
    """The one .changes of an upload, its signature verified, and its SHA-256."""
    found = [name for name in names if name.endswith(".changes")]
    if len(found) != 1:
        raise UploadRejected(
            f"{subticket.source_package_upload} must have one .changes file, not {len(found)}"
        )
    try:
        with store.open_file(found[0]) as stream:
            content = stream.read(MAX_BYTES + 1)
    except NotFound:
        raise UploadRejected(f"{found[0]} is missing; upload it before the ticket is queued") from None
    return read_changes(content, found[0], keyring()), hashlib.sha256(content).hexdigest()
