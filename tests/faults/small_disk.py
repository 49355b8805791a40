"""A disk of its own, small enough to be filled, for the data of one engine."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

MOUNT = 'mount -t tmpfs -o "mode=755,size=$2" uci-faults "$1" && echo mounted && exec sleep infinity'


@dataclass(frozen=True)
class SmallDisk:
    """A tmpfs that is mounted at `path` for the process `keeper` and those that enter its namespace.

    `seen` is the same directory as everybody else sees it.
    """

    path: Path
    keeper: int

    @property
    def seen(self) -> Path:
        return Path(f"/proc/{self.keeper}/root{self.path}")

    @property
    def entered(self) -> Sequence[str | Path]:
        """Begin of the command line of a program that finds the disk at `path`."""
        return ("nsenter", f"--mount=/proc/{self.keeper}/ns/mnt", "--")

    @contextmanager
    def filled(self, *, left: int) -> Iterator[None]:
        """Somebody else's file takes all but `left` bytes."""
        filler = self.seen / "filler"
        with filler.open("wb") as file:
            while not self._fill(file.fileno(), left=left):
                pass
        try:
            yield
        finally:
            filler.unlink()

    def _fill(self, file: int, *, left: int) -> bool:
        """Whether it could be; not if the engine took some of the space in the same moment."""
        found = os.statvfs(self.seen)
        try:
            os.posix_fallocate(file, 0, found.f_bavail * found.f_frsize - left)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            return False
        return True


@contextmanager
def small_disk(path: Path, *, size: int) -> Iterator[SmallDisk]:
    """A disk of `size` bytes on the directory `path`; only root may do that. It goes with the context."""
    with subprocess.Popen(
        ["unshare", "--mount", "sh", "-c", MOUNT, "sh", path, str(size)], stdout=subprocess.PIPE
    ) as keeper:
        try:
            assert keeper.stdout is not None
            assert keeper.stdout.readline() == b"mounted\n"
            yield SmallDisk(path, keeper.pid)
        finally:
            keeper.kill()
