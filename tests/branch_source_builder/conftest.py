from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ci_utils.data_store.local import LocalDataStores
from ci_utils.hosting import ports
from tests.branch_source_builder.memory_archives import MemoryArchives
from tests.ci_utils.source_package.uploads import SigningKey, Upload


@pytest.fixture(scope="session")
def key() -> Iterator[SigningKey]:
    # Not below pytest's directory: a gpg-agent socket has a path of at most 107 bytes.
    with tempfile.TemporaryDirectory(prefix="uci-gpg-", dir="/tmp") as directory:
        made = SigningKey(Path(directory) / "alice", "Alice <alice@example.com>")
        yield made
        made.close()


@pytest.fixture
def archives(monkeypatch: pytest.MonkeyPatch) -> MemoryArchives:
    made = MemoryArchives()
    monkeypatch.setattr(ports, "archives", lambda: made)
    return made


@pytest.fixture
def stores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalDataStores:
    made = LocalDataStores(tmp_path / "data-store", "http://127.0.0.1:8000", b"key")
    monkeypatch.setattr(ports, "data_stores", lambda: made)
    return made


@pytest.fixture
def uploaded(stores: LocalDataStores, key: SigningKey, tmp_path: Path) -> Callable[..., list[str]]:
    """Puts source uploads into the data store of ticket 1; returns the URLs of their files."""

    def put(*names: str, version: str = "2.10-4") -> list[str]:
        store = stores.open("ticket.1", "sources")
        urls = []
        for name in names:
            directory = tmp_path / name
            Upload(source=name, version=version).write(directory, key)
            urls += [store.put_file(path.name, path.read_bytes()) for path in directory.iterdir()]
        return urls

    return put
