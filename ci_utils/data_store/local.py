"""The data store in a local directory.

    ROOT/CONTAINER/files/NAME       what was put
    ROOT/CONTAINER/incoming/        files that are still being written

A file appears whole or not at all: it is written in `incoming`, synced and
moved. Whether it is public is the file's own permission for others, and what
new files get is that of `files`, so nothing has to be kept in step with them.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

from ci_utils.data_directory import require_writable
from ci_utils.data_store.port import DataStore, DataStores
from ci_utils.data_store.signed_urls import SignedUrls, checked_container, checked_filename
from ci_utils.errors import Conflict, InvalidRequest, NotFound

CHUNK_BYTES = 1024 * 1024
#: Files that `put_files` writes at the same time.
WRITERS = 16
PRIVATE_DIRECTORY, PUBLIC_DIRECTORY = 0o700, 0o755
PRIVATE_FILE, PUBLIC_FILE = 0o600, 0o644


class LocalDataStores(DataStores):
    """All containers below `root`, served by the engine under `base_url`/data/.

    `key` signs the URLs; a new one makes all URLs that were handed out void.
    """

    def __init__(self, root: Path, base_url: str, key: bytes) -> None:
        self._root = root
        self._urls = SignedUrls(base_url, key)

    def check(self) -> None:
        require_writable(self._root)

    def open(self, component: str, identifier: str | None = None, *, public: bool = False) -> LocalDataStore:
        name = component if identifier is None else f"{component}.{identifier}"
        store = LocalDataStore(self._root, checked_container(name), self._urls)
        store.create(public=public)
        return store

    def locate(self, url: str) -> tuple[LocalDataStore, str]:
        container, filename = self._urls.split(url)
        return self.container(container), filename

    def container(self, name: str) -> LocalDataStore:
        """A container by its full name, for serving; `NotFound` if there is none."""
        store = LocalDataStore(self._root, checked_container(name), self._urls)
        if not store.exists():
            raise NotFound(f"there are no files under {name}")
        return store

    def check_url(self, method: str, container: str, filename: str, query: Mapping[str, str]) -> None:
        """Raise `Forbidden` unless the query holds a signature that allows this request."""
        self._urls.check(method, container, filename, query)


class LocalDataStore(DataStore):
    """One container: a directory of files."""

    def __init__(self, root: Path, container: str, urls: SignedUrls) -> None:
        self.name = container
        self._directory = root / container
        self._files = self._directory / "files"
        self._incoming = self._directory / "incoming"
        self._urls = urls

    def create(self, *, public: bool) -> None:
        """Make the container if it does not exist."""
        self._incoming.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            self._files.mkdir(mode=PRIVATE_DIRECTORY)
            if public:
                self._files.chmod(PUBLIC_DIRECTORY)

    def exists(self) -> bool:
        """Whether the container is there."""
        return self._files.is_dir()

    def list_files(self) -> list[str]:
        return sorted(path.name for path in self._paths())

    def put_file(self, filename: str, contents: bytes | BinaryIO) -> str:
        target = self._files / checked_filename(filename)
        with self._written(contents) as (temporary, _):
            with self._locked():
                self._move(temporary, target)
            self._settle_names()
        return self.file_path(filename)

    def put_files(self, files: Mapping[str, bytes]) -> list[str]:
        # A disk that is told of many files at once writes them as quickly as one.
        with ThreadPoolExecutor(max(1, min(len(files), WRITERS))) as writers:
            return list(writers.map(self.put_file, files.keys(), files.values()))

    def receive(self, filename: str, stream: BinaryIO, *, length: int, limit: int) -> None:
        """Take what a client sends to an upload URL: `length` bytes, at most `limit`.

        A file is uploaded once: sending the same contents again changes
        nothing, so a client may repeat a request whose answer was lost; other
        contents are a `Conflict`. `InvalidRequest` if there is too much, or
        if the stream ends early.
        """
        target = self._files / checked_filename(filename)
        if length > limit:
            raise InvalidRequest(f"{filename} has {length} bytes; at most {limit} are allowed")
        with self._written(stream, length) as (temporary, digest):
            if temporary.stat().st_size != length:
                raise InvalidRequest(f"{filename} ended before all of its {length} bytes came")
            with self._locked():
                if not target.exists():
                    self._move(temporary, target)
                elif _digest(target) != digest:
                    raise Conflict(f"{filename} was uploaded before with other contents; make a new ticket")
            self._settle_names()

    def get_file(self, filename: str) -> bytes:
        with self.open_file(filename) as stream:
            return stream.read()

    def open_file(self, filename: str) -> BinaryIO:
        with self._existing(filename) as path:
            return path.open("rb")

    def file_size(self, filename: str) -> int:
        with self._existing(filename) as path:
            return path.stat().st_size

    def is_public(self, filename: str) -> bool:
        """Whether anybody may read the file; `NotFound` if there is none."""
        with self._existing(filename) as path:
            return _is_public(path)

    def change_visibility(self, filename: str, private: bool = False) -> None:
        with self._existing(filename) as path, self._locked():
            path.chmod(PRIVATE_FILE if private else PUBLIC_FILE)

    def change_container_visibility(self, public: bool = False) -> None:
        with self._locked():
            self._files.chmod(PUBLIC_DIRECTORY if public else PRIVATE_DIRECTORY)
            for path in self._paths():
                path.chmod(PUBLIC_FILE if public else PRIVATE_FILE)

    def delete_file(self, filename: str) -> None:
        with self._existing(filename) as path:
            path.unlink()

    def delete(self, recursive: bool = False) -> None:
        with self._locked():
            if not recursive and self._paths():
                raise Conflict(f"the container {self.name} still has files; remove them first")
            shutil.rmtree(self._directory)

    def clear(self) -> None:
        with self._locked():
            for path in self._paths():
                path.unlink()

    def file_path(self, filename: str) -> str:
        return self._urls.lasting(self.name, checked_filename(filename))

    def download_url(self, filename: str, expires_in: int = 3600) -> str:
        return self._urls.sign("GET", self.name, checked_filename(filename), expires_in)

    def upload_url(self, filename: str, expires_in: int = 3600) -> str:
        return self._urls.sign("PUT", self.name, checked_filename(filename), expires_in)

    def _paths(self) -> list[Path]:
        return list(self._files.iterdir()) if self.exists() else []

    @contextlib.contextmanager
    def _existing(self, filename: str) -> Iterator[Path]:
        """The path of a file; that it is not there becomes `NotFound`."""
        try:
            yield self._files / checked_filename(filename)
        except FileNotFoundError:
            raise NotFound(f"there is no file {filename} in {self.name}") from None

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """One change of names and visibility at a time, across threads and processes."""
        with self._opened() as directory:
            fcntl.flock(directory, fcntl.LOCK_EX)
            yield

    def _settle_names(self) -> None:
        """Bring the names of the files to the disk; done unlocked, so that many wait for it together."""
        with self._opened() as directory:
            os.fsync(directory)

    @contextlib.contextmanager
    def _opened(self) -> Iterator[int]:
        """The descriptor of the directory of files."""
        try:
            descriptor = os.open(self._files, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:
            raise NotFound(f"there are no files under {self.name}") from None
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    @contextlib.contextmanager
    def _written(self, contents: bytes | BinaryIO, length: int | None = None) -> Iterator[tuple[Path, str]]:
        """Contents (up to `length` bytes) in a synced file, gone afterwards unless moved, and its digest."""
        if not self.exists():
            raise NotFound(f"there are no files under {self.name}")
        with tempfile.NamedTemporaryFile(dir=self._incoming, delete=False) as target:
            path = Path(target.name)
            try:
                digest = hashlib.sha256()
                for chunk in _chunks(contents, length):
                    digest.update(chunk)
                    target.write(chunk)
                target.flush()
                os.fsync(target.fileno())
                yield path, digest.hexdigest()
            finally:
                path.unlink(missing_ok=True)

    def _move(self, temporary: Path, target: Path) -> None:
        """Give a written file its name, and the visibility of the file it replaces or of the container."""
        public = _is_public(target if target.exists() else self._files)
        temporary.chmod(PUBLIC_FILE if public else PRIVATE_FILE)
        temporary.replace(target)


def _is_public(path: Path) -> bool:
    return bool(path.stat().st_mode & stat.S_IROTH)


def _chunks(contents: bytes | BinaryIO, length: int | None) -> Iterator[bytes]:
    if isinstance(contents, bytes):
        yield contents
        return
    left = CHUNK_BYTES if length is None else length
    while chunk := contents.read(min(left, CHUNK_BYTES)):
        yield chunk
        if length is not None:
            left -= len(chunk)


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
