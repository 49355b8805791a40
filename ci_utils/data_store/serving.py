"""What the engine's HTTP front needs to serve the local data store; knows no web framework.

A view checks here who may read or write, then streams. It must send the
files as attachments that no browser renders: they hold what builds and tests
wrote.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO

from ci_utils.data_store.local import CHUNK_BYTES, LocalDataStore, LocalDataStores
from ci_utils.errors import InvalidRequest, NotFound

_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})", re.ASCII)


class RangeNotSatisfiable(InvalidRequest):
    """The requested range begins behind the end of the file."""

    http_status = 416


@dataclass(frozen=True)
class FilePart:
    """A file, or the part of it that was asked for; iterating gives pieces and closes it.

    `start` and `length` in bytes of a file of `size` bytes; `partial` is
    whether to answer 206 with `content_range`.
    """

    stream: BinaryIO
    start: int
    length: int
    size: int

    @property
    def partial(self) -> bool:
        return self.length != self.size

    @property
    def content_range(self) -> str:
        """The value of the Content-Range header."""
        return f"bytes {self.start}-{self.start + self.length - 1}/{self.size}"

    def close(self) -> None:
        """Give the file back, read or not."""
        self.stream.close()

    def __iter__(self) -> Iterator[bytes]:
        with self.stream:
            self.stream.seek(self.start)
            left = self.length
            while left and (chunk := self.stream.read(min(left, CHUNK_BYTES))):
                left -= len(chunk)
                yield chunk


def readable(
    stores: LocalDataStores, container: str, filename: str, query: Mapping[str, str], *, allowed: bool = False
) -> LocalDataStore:
    """The container of a file that this request may read (method GET or HEAD).

    It may if the file is public, the query is signed for it, or the caller
    found it `allowed` by other means (the token of its owner). Otherwise
    `Forbidden` for a signature that is wrong or too old, and `NotFound` with
    none: who may not read a file does not learn whether it exists.
    """
    if "signature" in query:
        stores.check_url("GET", container, filename, query)
        return stores.container(container)
    store = stores.container(container)
    if not allowed and not store.is_public(filename):
        raise NotFound(f"there is no file {filename} in {container}")
    return store


def writable(
    stores: LocalDataStores, container: str, filename: str, query: Mapping[str, str]
) -> LocalDataStore:
    """The container that this PUT may write the file to; `Forbidden` unless it is signed for it.

    Hand the body to its `receive`.
    """
    stores.check_url("PUT", container, filename, query)
    return stores.container(container)


def part_of(stream: BinaryIO, size: int, range_header: str = "") -> FilePart:
    """The part of an open file of `size` bytes that a Range header asks for; closes it if there is none.

    One range is honoured; anything else gives the whole file, as RFC 9110 allows.
    """
    try:
        start, length = _range(range_header, size)
    except RangeNotSatisfiable:
        stream.close()
        raise
    return FilePart(stream, start, length, size)


def _range(header: str, size: int) -> tuple[int, int]:
    match = _RANGE.fullmatch(header.strip())
    first, last = match.groups() if match else ("", "")
    if not first and not last:
        return 0, size
    if not first:
        length = min(int(last), size)
        start, end = size - length, size - 1
    else:
        start, end = int(first), min(int(last or size), size - 1)
    if start >= size:
        raise RangeNotSatisfiable(f"the file has only {size} bytes")
    return (start, end - start + 1) if end >= start else (0, size)
