"""Sends files to Swift: never whole in memory, in segments where they are large."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import BinaryIO

from ci_utils.data_store.presentation import content_headers
from ci_utils.data_store.swift.account import PIECE_BYTES, Account


@contextmanager
def rewindable(contents: bytes | BinaryIO) -> Iterator[tuple[BinaryIO, int]]:
    """Contents as a stream that can be sent again, and how many bytes it has.

    What cannot be rewound (a pipe, a download) is first copied to a file.
    """
    if isinstance(contents, bytes):
        yield io.BytesIO(contents), len(contents)
    elif contents.seekable():
        start = contents.tell()
        length = contents.seek(0, io.SEEK_END) - start
        contents.seek(start)
        yield contents, length
    else:
        with tempfile.TemporaryFile() as copied:
            shutil.copyfileobj(contents, copied, PIECE_BYTES)
            length = copied.tell()
            copied.seek(0)
            yield copied, length


def send(
    account: Account,
    container: str,
    filename: str,
    stream: BinaryIO,
    length: int,
    *,
    segment_bytes: int,
    segmented: bool,
) -> None:
    """Store a rewindable stream as one file, which replaces another at once.

    In segments if it is larger than one; `segmented` says whether the file
    that it replaces may have some, which then go.
    """
    own = ""
    if length > segment_bytes:
        own = f"{_segments_of(filename)}{uuid.uuid4().hex}/"
        _send_segments(account, container, filename, stream, length, segment_bytes, own)
    else:
        md5, headers = _md5(stream, length), content_headers(filename)
        account.put(container, filename, stream, length=length, md5=md5, headers=headers)
    if segmented:
        for name in account.names(container, prefix=_segments_of(filename)):
            if not own or not name.startswith(own):
                account.delete(container, name)


def _send_segments(
    account: Account,
    container: str,
    filename: str,
    stream: BinaryIO,
    length: int,
    segment_bytes: int,
    prefix: str,
) -> None:
    segments: list[Mapping[str, str | int]] = []
    for number, start in enumerate(range(0, length, segment_bytes)):
        name, size = f"{prefix}{number:06}", min(segment_bytes, length - start)
        md5 = _md5(stream, size)
        account.put(container, name, stream, length=size, md5=md5, headers={})
        segments.append({"path": f"/{container}/{name}", "size_bytes": size, "etag": md5})
    account.put_manifest(container, filename, json.dumps(segments).encode(), content_headers(filename))


def _segments_of(filename: str) -> str:
    """What the names of a file's segments begin with; no file has such a name."""
    return f"{filename}/"


def _md5(stream: BinaryIO, length: int) -> str:
    """Swift's checksum of the next bytes of a stream, which then stands where it stood."""
    start, digest = stream.tell(), hashlib.md5(usedforsecurity=False)
    while length and (piece := stream.read(min(PIECE_BYTES, length))):
        digest.update(piece)
        length -= len(piece)
    stream.seek(start)
    return digest.hexdigest()
