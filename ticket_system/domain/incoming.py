"""Takes files as `dput` sends them, one by one and without a token.

Files are only kept, and a .changes only if a trusted key signed it. Once
everything that a .changes lists is there, it becomes a ticket by
`upload_queue`.
"""

from __future__ import annotations

import contextlib
import hashlib
import tempfile
from collections.abc import Iterable
from datetime import timedelta
from email.utils import parseaddr
from typing import BinaryIO

from django.db import transaction
from django.db.models import Count, Sum
from django.utils import timezone

from ci_utils.config import UploadQueueConfig
from ci_utils.data_store.port import DataStore, DataStores
from ci_utils.errors import InvalidRequest, NotFound, Unavailable, UploadRejected
from ci_utils.source_package.changes import SourceChanges, read_changes
from ci_utils.source_package.control import MAX_BYTES
from ci_utils.source_package.names import valid_file_name
from ticket_system.domain.uploaders import keyring
from ticket_system.models import IncomingFile, ListedFile

CHUNK_BYTES = 1 << 20
#: What a file counts besides its contents, so that empty ones fill the space too.
FILE_BYTES = 1 << 12
#: As long as the name of a ticket's submitter can be.
MAX_ADDRESS = 100


def incoming_store(stores: DataStores) -> DataStore:
    """Where files wait."""
    return stores.open("upload_queue", "incoming")


def receive_file(
    *, name: str, stream: BinaryIO, length: int, limits: UploadQueueConfig, stores: DataStores
) -> IncomingFile:
    """Keep one file of `length` bytes; the same again replaces the one that was there.

    Raises `InvalidRequest` for a name that is no plain file name or a stream
    that ends early, `UploadRejected` for a .changes that no trusted key
    signed, `Unavailable` when there is no space left, and `NotFound` where
    nothing is taken this way.
    """
    if not limits.space:
        raise NotFound("this engine takes no uploads by dput; send tickets with ubuntu-ci")
    if not valid_file_name(name):
        raise InvalidRequest(f"{name[:80]!r} is not a plain file name")
    is_changes = name.endswith(".changes")
    if is_changes and length > MAX_BYTES:
        raise UploadRejected(f"{name} is larger than {MAX_BYTES} bytes")
    file = _announce(name, length, limits)
    try:
        _write(file, stream, incoming_store(stores))
        if is_changes:
            _keep_changes(file, incoming_store(stores).get_file(file.place))
        else:
            file.save()
    except BaseException:
        forget_files([file], stores=stores)
        raise
    older = IncomingFile.objects.filter(name=name, sha256=file.sha256, ticket=None).exclude(pk=file.pk)
    forget_files(older, stores=stores)
    return file


def contents_of(changes: IncomingFile, *, stores: DataStores) -> tuple[SourceChanges, str]:
    """What a .changes that was verified when it came says, and its text."""
    text = incoming_store(stores).get_file(changes.place).decode()
    return read_changes(text.encode(), changes.name), text


def files_listed(changes: SourceChanges) -> list[IncomingFile] | None:
    """The files that a .changes lists, by name, size and checksum; None unless all are there."""
    found = []
    for listed in changes.files:
        file = IncomingFile.objects.filter(name=listed.name, size=listed.size, sha256=listed.sha256).last()
        if file is None:
            return None
        found.append(file)
    return found


def forget_files(files: Iterable[IncomingFile], *, stores: DataStores) -> None:
    """Remove files, whether they were written or not."""
    store = incoming_store(stores)
    for file in files:
        with contextlib.suppress(NotFound):
            store.delete_file(file.place)
        IncomingFile.objects.filter(pk=file.pk).delete()


def forget_old_files(*, limits: UploadQueueConfig, stores: DataStores) -> None:
    """Remove what came too long ago to become a ticket still."""
    latest = timezone.now() - timedelta(hours=limits.hours)
    forget_files(IncomingFile.objects.filter(received_at__lt=latest), stores=stores)


def _announce(name: str, length: int, limits: UploadQueueConfig) -> IncomingFile:
    """A place for a file, if there is space for it beside all that is there or on its way."""
    with transaction.atomic():
        there = IncomingFile.objects.aggregate(bytes=Sum("size", default=0), files=Count("id"))
        if there["bytes"] + length + FILE_BYTES * there["files"] > limits.space:
            raise Unavailable(
                f"there is no space for the {length} bytes of {name} now; try again when others have landed"
            )
        return IncomingFile.objects.create(name=name, size=length)


def _write(file: IncomingFile, stream: BinaryIO, store: DataStore) -> None:
    digest, left = hashlib.sha256(), file.size
    with tempfile.TemporaryFile() as copy:
        while left and (piece := stream.read(min(left, CHUNK_BYTES))):
            left -= len(piece)
            digest.update(piece)
            copy.write(piece)
        if left:
            raise InvalidRequest(f"{file.name} ended before all of its {file.size} bytes came")
        copy.seek(0)
        store.put_file(file.place, copy)
    file.sha256 = digest.hexdigest()


def _keep_changes(file: IncomingFile, content: bytes) -> None:
    """Keep who signed a .changes, and what it lists; from then on it waits for that."""
    changes = read_changes(content, file.name, keyring())
    file.signer = _signer(changes)
    with transaction.atomic():
        file.save()
        ListedFile.objects.bulk_create(
            ListedFile(changes=file, name=listed.name, sha256=listed.sha256) for listed in changes.files
        )


def _signer(changes: SourceChanges) -> str:
    """The email address of the trusted key that signed a .changes: the ticket's owner and submitter."""
    address = parseaddr(changes.signature.uid if changes.signature else "")[1]
    if "@" not in address or len(address) > MAX_ADDRESS:
        raise UploadRejected(
            f"{changes.filename} is signed by a key without an email address of at most {MAX_ADDRESS} "
            "characters, and tickets need an owner; add one to the key, or send the ticket with ubuntu-ci"
        )
    return address
