"""The directories of all local archives of one owner.

ROOT/OWNER/NAME/{dists,pool,key.asc,key.gpg}    what apt reads, for everybody
ROOT/.state/                                    the engine's own: index, key, builds
"""

from __future__ import annotations

import fcntl
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ci_utils.apt.mirror import architecture
from ci_utils.apt.resolver import LocalArchive
from ci_utils.archive.file_pool import FilePool
from ci_utils.archive.index import ArchiveIndex
from ci_utils.archive.publication import GRACE_SECONDS, Publication
from ci_utils.archive.signing_key import SigningKey
from ci_utils.errors import NotFound

POOL_NAME = "ci_pool-{:03}"
_REFERENCE = re.compile(r"ppa:([A-Za-z0-9][A-Za-z0-9.+_-]*)/([A-Za-z0-9][A-Za-z0-9.+_-]*)")


class ArchiveTree:
    """Where each archive lies; writes what apt reads of it."""

    def __init__(self, root: Path, *, owner: str, series: str) -> None:
        self.root = root
        self.owner = owner
        self.series = series
        self.state = root / ".state"
        self.state.mkdir(parents=True, exist_ok=True)
        self.state.chmod(0o700)
        self.index = ArchiveIndex(self.state / "index.db")
        self.key = SigningKey(self.state / "gnupg", f"{owner} (archives of this CI engine)")

    def reference(self, name: str) -> str:
        """`ppa:OWNER/NAME`."""
        return f"ppa:{self.owner}/{name}"

    def directory(self, archive: str) -> Path:
        """The directory of an archive; `NotFound` if there is no such archive."""
        match = _REFERENCE.fullmatch(archive)
        directory = self.root / self.owner / match[2] if match and match[1] == self.owner else None
        if directory is None or not (directory / "dists" / self.series / "InRelease").is_file():
            raise NotFound(f"there is no archive {archive[:100]}")
        return directory

    def pool(self, archive: str) -> FilePool:
        """The package files of an archive."""
        return FilePool(self.directory(archive))

    def pool_names(self) -> list[str]:
        """References of the archives that tickets build in, sorted."""
        stem = POOL_NAME.partition("{")[0]
        return sorted(self.reference(path.name) for path in (self.root / self.owner).glob(f"{stem}*"))

    def ensure(self, name: str) -> str:
        """Make an archive, empty, unless it is there; its reference."""
        archive = self.reference(name)
        directory = self.root / self.owner / name
        if not (directory / "dists" / self.series / "InRelease").is_file():
            self.key.ensure()
            with self.locked():
                (directory / "pool").mkdir(parents=True, exist_ok=True)
                self._write(archive, directory)
        return archive

    def publish(self, archive: str, *, grace: float = GRACE_SECONDS) -> None:
        """Write the indices anew; then delete files that left them more than `grace` seconds ago."""
        directory = self.directory(archive)
        self._write(archive, directory)
        FilePool(directory).sweep(self.index.files(archive), older_than=grace)

    def local_archive(self, archive: str) -> LocalArchive:
        """How the engine's own apt reads an archive."""
        directory = self.directory(archive)
        return LocalArchive(directory.name, directory, directory / "key.gpg")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One change to the archives at a time, over all processes."""
        with (self.state / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _write(self, archive: str, directory: Path) -> None:
        publication = Publication(directory, archive, self.series, architecture(), self.key)
        publication.publish(
            packages=[binary.stanza for binary in self.index.binaries(archive)],
            sources=[source.stanza for source in self.index.sources(archive)],
        )
