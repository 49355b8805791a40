"""A file on a server, read as if it were here: in pieces, from any place, past broken connections."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any, BinaryIO, cast

from urllib3.exceptions import HTTPError

from ci_utils.errors import Unavailable
from ci_utils.retries import retried

PIECE_BYTES = 1 << 16


class RemoteFile(io.RawIOBase):
    """`open_at` gives a stream (`read`, `close`) of the file's bytes from a place on; it has `size` bytes."""

    def __init__(self, open_at: Callable[[int], Any], size: int) -> None:
        self._open_at = open_at
        self._size = size
        self._place = 0
        self._stream: Any = None

    def buffered(self) -> BinaryIO:
        """The same, read in pieces of a sensible size."""
        return cast("BinaryIO", io.BufferedReader(self, PIECE_BYTES))

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._size}[whence]
        if start + offset != self._place:
            self._let_go()
        self._place = start + offset
        return self._place

    def tell(self) -> int:
        return self._place

    def readinto(self, buffer: Any) -> int:
        """Raises `Unavailable` when the server does not give the next piece, however often it is asked."""
        wanted = min(len(buffer), self._size - self._place)
        if wanted <= 0:
            return 0
        piece = retried(lambda: self._read(wanted))
        buffer[: len(piece)] = piece
        self._place += len(piece)
        return len(piece)

    def close(self) -> None:
        self._let_go()
        super().close()

    def _read(self, wanted: int) -> bytes:
        try:
            if self._stream is None:
                self._stream = self._open_at(self._place)
            piece: bytes = self._stream.read(wanted)
        except (HTTPError, OSError) as error:
            self._let_go()
            raise Unavailable("the server broke a download off") from error
        if not piece:
            self._let_go()
            raise Unavailable("the server ended a download too early")
        return piece

    def _let_go(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None
