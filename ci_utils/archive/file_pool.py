"""The files of one archive: `pool/`, shared with other archives by hard links."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ci_utils.archive.publication import COMPONENT
from ci_utils.errors import Conflict

CHUNK_BYTES = 1024 * 1024


class Mismatch(Exception):
    """A file is not what was said of it; the text names the file and what differs."""


@dataclass(frozen=True)
class FilePool:
    """The pool below an archive's directory; file names in it are relative to that directory."""

    directory: Path

    def path(self, filename: str) -> Path:
        """Where a file of the pool lies."""
        return self.directory / filename

    def take(self, source: Path, filename: str, *, size: int, sha256: str) -> None:
        """Copy a file in, checking size and checksum on the way.

        Raises `Mismatch`, or `Conflict` if another file of that name is there.
        """
        target = self.path(filename)
        if target.exists():
            if file_sha256(target) != sha256:
                raise Conflict(f"the archive has another file named {target.name}; use a new version")
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh = target.with_name(f".{target.name}.new")
        try:
            _copy_checked(source, fresh, size, sha256)
            fresh.chmod(0o644)
            fresh.rename(target)
        finally:
            fresh.unlink(missing_ok=True)

    def link_from(self, other: FilePool, filename: str) -> None:
        """Have the same file as another archive, without a copy of it where possible.

        Raises `Conflict` if a different file of that name is there.
        """
        source, target = other.path(filename), self.path(filename)
        if target.exists():
            if not target.samefile(source) and file_sha256(target) != file_sha256(source):
                raise Conflict(f"the target archive has another file named {target.name}")
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh = target.with_name(f".{target.name}.new")
        fresh.unlink(missing_ok=True)
        try:
            os.link(source, fresh)
        except OSError:
            with source.open("rb") as reader, fresh.open("wb") as writer:
                shutil.copyfileobj(reader, writer, CHUNK_BYTES)
                _sync(writer)
        fresh.rename(target)

    def sweep(self, keep: Collection[str], *, older_than: float = 0) -> None:
        """Delete every file that is not in `keep` and has not changed for `older_than` seconds."""
        latest = time.time() - older_than
        for path in sorted((self.directory / "pool").rglob("*"), reverse=True):
            if path.is_dir():
                if not any(path.iterdir()):
                    path.rmdir()
            elif str(path.relative_to(self.directory)) not in keep and path.stat().st_ctime <= latest:
                path.unlink()


def pool_directory(source: str) -> str:
    """Where the files of a source package go."""
    prefix = source[:4] if source.startswith("lib") else source[:1]
    return f"pool/{COMPONENT}/{prefix}/{source}"


def file_sha256(path: Path) -> str:
    """The checksum of a file of any size."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _copy_checked(source: Path, target: Path, size: int, sha256: str) -> None:
    # What a build left may be a link or a pipe: only regular files are read.
    descriptor = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as reader, target.open("wb") as writer:  # noqa: PTH123 -- a descriptor
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size != size:
            raise Mismatch(f"{source.name} is not a file of {size} bytes")
        digest = hashlib.sha256()
        while chunk := reader.read(CHUNK_BYTES):
            digest.update(chunk)
            writer.write(chunk)
        _sync(writer)
    if digest.hexdigest() != sha256:
        raise Mismatch(f"{source.name} does not match its checksum")


def _sync(file: BinaryIO) -> None:
    """Bring a file to the disk before it gets its name: under that one it is not written again."""
    file.flush()
    os.fsync(file.fileno())
