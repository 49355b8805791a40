"""Where the lines of a log begin, without keeping the log: newlines are counted block by block.

A log of hundreds of MB is streamed once, in pieces; what is kept of it is one
number for each block. A page of lines is then read from the block where it
begins.
"""

from __future__ import annotations

import threading
from array import array
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Hashable, Iterable
from dataclasses import dataclass

BLOCK_BYTES = 256 << 10
MAX_REMEMBERED = 64


@dataclass(frozen=True)
class LogIndex:
    """`newlines[k]` counts those before block k; the last entry counts all."""

    newlines: array[int]
    size: int
    ends_with_newline: bool

    @property
    def lines(self) -> int:
        """How many lines there are; a last one without its newline counts."""
        return self.newlines[-1] + (0 if self.ends_with_newline or not self.size else 1)

    def block_of(self, line: int) -> tuple[int, int]:
        """(offset of the block where this line begins, newlines before that); lines count from 1."""
        if line < 2:
            return 0, 0
        # The block with the newline that ends the line before.
        block = bisect_left(self.newlines, min(line - 1, self.newlines[-1])) - 1
        return max(0, block) * BLOCK_BYTES, self.newlines[max(0, block)]


def build_index(pieces: Iterable[bytes]) -> LogIndex:
    """The index of a log that comes in pieces of any size."""
    newlines = array("Q", [0])
    size, last = 0, b""
    for block in _blocks(pieces):
        newlines.append(newlines[-1] + block.count(b"\n"))
        size += len(block)
        last = block[-1:]
    return LogIndex(newlines, size, last == b"\n")


class IndexCache:
    """The indexes of the logs that were looked at last. A key tells the contents: address and size."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, LogIndex] = OrderedDict()

    def get(self, key: Hashable) -> LogIndex | None:
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def put(self, key: Hashable, index: LogIndex) -> None:
        with self._lock:
            self._kept[key] = index
            while len(self._kept) > MAX_REMEMBERED:
                self._kept.popitem(last=False)


def _blocks(pieces: Iterable[bytes]) -> Iterable[bytes]:
    """The same bytes in blocks of one size."""
    left = bytearray()
    for piece in pieces:
        left += piece
        while len(left) >= BLOCK_BYTES:
            yield bytes(left[:BLOCK_BYTES])
            del left[:BLOCK_BYTES]
    if left:
        yield bytes(left)
