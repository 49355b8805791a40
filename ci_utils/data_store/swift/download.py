"""A file of Swift as a stream."""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, BinaryIO, cast

from ci_utils.errors import Unavailable

BUFFER_BYTES = 1 << 20


class Download(io.RawIOBase):
    """The body of an answer, of which all `length` bytes come or reading it fails with `Unavailable`.

    `close` is called with the stream's end, `translated` around each reading.
    """

    def __init__(
        self,
        body: Any,
        length: int,
        close: Callable[[], None],
        translated: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self._body = body
        self._left = length
        self._close = close
        self._translated = translated

    def buffered(self) -> BinaryIO:
        """The same in pieces of a useful size."""
        return cast("BinaryIO", io.BufferedReader(self, BUFFER_BYTES))

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        wanted = min(len(buffer), self._left)
        if not wanted:
            return 0
        with self._translated():
            piece: bytes = self._body.read(wanted)
        if not piece:
            raise Unavailable("a file from Swift ended too early; try again")
        buffer[: len(piece)] = piece
        self._left -= len(piece)
        return len(piece)

    def close(self) -> None:
        if not self.closed:
            self._close()
        super().close()
