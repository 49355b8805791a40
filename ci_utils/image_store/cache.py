"""Copies of images that are kept elsewhere, in a directory of bounded size.

A copy is there whole or not at all. What is handed out is a further name of
it in the caller's directory: it stays when the copy itself has to go.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ci_utils.image_store.port import Image
from ci_utils.shared_files import share

LOCK = ".lock"
PART = ".part"


class ImageCache:
    """At most `limit` bytes of copies in `directory`, and one that is larger where it must be."""

    def __init__(self, directory: Path, limit: int) -> None:
        self.directory = directory
        self._limit = limit
        # Sandboxes read images under another user id; not being able to list them protects private ones.
        directory.mkdir(mode=0o711, parents=True, exist_ok=True)

    def fetch(self, image: Image, directory: Path, download: Callable[[Path], None]) -> Path:
        """A file of the image in `directory`, not to be written to.

        Where there is no copy yet, `download` makes one: it gets the path to
        write to, and must check what it wrote.
        """
        target = directory / f"{image.id}.qcow2"
        with self._locked():
            if not target.exists():
                share(self._copy_of(image, download), target)
        return target

    def forget(self, image_id: str) -> None:
        """Remove the copy of an image, if any."""
        self._path(image_id).unlink(missing_ok=True)

    def _copy_of(self, image: Image, download: Callable[[Path], None]) -> Path:
        copy, part = self._path(image.id), self.directory / PART
        if copy.exists() and copy.stat().st_size == image.size:
            os.utime(copy)
            return copy
        part.unlink(missing_ok=True)
        try:
            download(part)
            with part.open("rb") as file:
                os.fsync(file)
            part.chmod(0o444)
            part.rename(copy)
        finally:
            part.unlink(missing_ok=True)
        self._make_room(copy)
        return copy

    def _make_room(self, wanted: Path) -> None:
        """Remove the copies that were not used for longest, until the others and `wanted` fit."""
        copies = [(path, path.stat()) for path in self.directory.glob("*.qcow2") if path != wanted]
        total = wanted.stat().st_size + sum(status.st_size for _, status in copies)
        for path, status in sorted(copies, key=lambda copy: copy[1].st_mtime_ns):
            if total <= self._limit:
                return
            path.unlink(missing_ok=True)
            total -= status.st_size

    def _path(self, image_id: str) -> Path:
        return self.directory / f"{image_id}.qcow2"

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with (self.directory / LOCK).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
