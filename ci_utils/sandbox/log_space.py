"""What a program in a sandbox prints, on its way to a log, and what that leaves of the host's disk."""

from __future__ import annotations

import os
import stat
import sys
import threading
from types import TracebackType
from typing import BinaryIO, Self

from ci_utils.disk_space import LEFT_OF_A_LOG, nearly_full, says_full
from ci_utils.sandbox.limits import HOST_DISK, LOG, MAX_LOG_BYTES

CHUNK_BYTES = 64 << 10


class LogSpace:
    """Copies what a program prints to `pipe` to the end of a file, for `with`; and how full its disk is.

    The program never has the file itself: it could write over the engine's own
    lines, or so far behind them that the rest is a hole of any size. Once it
    has started, whoever started it closes `pipe`. A `limited` one may print
    `MAX_LOG_BYTES`; what is printed to a pipe or a device takes no space.
    """

    pipe: BinaryIO

    def __init__(self, descriptor: int, *, limited: bool) -> None:
        status = os.fstat(descriptor)
        self._descriptor = descriptor
        self._begin = status.st_size
        self._limited = limited and stat.S_ISREG(status.st_mode)
        self._room = MAX_LOG_BYTES if self._limited else sys.maxsize
        self._problem: OSError | None = None

    def __enter__(self) -> Self:
        reader, writer = os.pipe()
        # Shell scripts open /dev/stderr anew, and may be another user's than the pipe is.
        os.fchmod(writer, 0o622)
        self.pipe = os.fdopen(writer, "wb", buffering=0)
        self._copier = threading.Thread(target=self._copy, args=(reader,), name="log", daemon=True)
        self._copier.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.pipe.close()
        self._copier.join()
        if self._problem and not error and not self.exceeded:
            raise self._problem

    @property
    def exceeded(self) -> str:
        """Which limit it is that was passed, if any."""
        if not self._limited:
            return ""
        if self._room < 0:
            return LOG
        full = self._problem and says_full(self._problem)
        return HOST_DISK if full or nearly_full(self._descriptor) else ""

    def cut(self) -> None:
        """Shorten a log that helped to fill the disk to what is kept of it; what comes next follows that."""
        if self.exceeded == HOST_DISK:
            size = os.fstat(self._descriptor).st_size
            os.ftruncate(self._descriptor, min(self._begin + LEFT_OF_A_LOG, size))
            os.lseek(self._descriptor, 0, os.SEEK_END)

    def _copy(self, reader: int) -> None:
        try:
            with (
                open(reader, "rb", buffering=0) as printed,
                open(self._descriptor, "wb", closefd=False) as log,
            ):
                while self._room >= 0 and (chunk := printed.read(CHUNK_BYTES)):
                    log.write(chunk[: self._room])
                    log.flush()
                    self._room -= len(chunk)
        except OSError as error:
            self._problem = error
