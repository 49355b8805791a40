"""The source uploads of a request, from the data store into a directory."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ci_utils.data_store.port import DataStore, DataStores
from ci_utils.errors import InvalidRequest, StageFailed
from ci_utils.source_package.changes import read_changes


@dataclass(frozen=True)
class Upload:
    """One source upload: its .changes, with the listed files beside it, and what it is an upload of."""

    changes: Path
    source: str
    version: str


def check_upload_urls(urls: Sequence[str], *, data_stores: DataStores) -> None:
    """Raise `InvalidRequest` unless these are data-store files of different names with a .changes."""
    _located(urls, data_stores)


@contextmanager
def fetched_uploads(
    urls: Sequence[str], checksums: Mapping[str, str], *, data_stores: DataStores, directory: Path
) -> Iterator[list[Upload]]:
    """The uploads, downloaded to `directory`, which is gone afterwards.

    Whatever a process that was killed left in it is removed first. Raises
    `StageFailed` for a file that has not the SHA-256 that `checksums`, if
    there are any, say of it.
    """
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(mode=0o700, parents=True)
    try:
        for name, store in _located(urls, data_stores).items():
            with store.open_file(name) as stream, (directory / name).open("wb+") as file:
                shutil.copyfileobj(stream, file, 1 << 20)
                file.seek(0)
                sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            if checksums and checksums.get(name) != sha256:
                raise StageFailed(f"{name} is not the file that was checked; make a new ticket")
        yield [_upload(path) for path in sorted(directory.glob("*.changes"))]
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _located(urls: Sequence[str], data_stores: DataStores) -> dict[str, DataStore]:
    files: dict[str, DataStore] = {}
    for url in urls:
        store, name = data_stores.locate(url)
        if name in files:
            raise InvalidRequest(f"source_packages: {name} is there twice; name every file once")
        files[name] = store
    if not any(name.endswith(".changes") for name in files):
        raise InvalidRequest("source_packages: there is no .changes file among them")
    return files


def _upload(path: Path) -> Upload:
    changes = read_changes(path.read_bytes(), path.name)
    return Upload(path, changes.source, changes.version)
