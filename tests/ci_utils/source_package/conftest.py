"""Keys for the tests of source packages: made once, they are costly."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ci_utils.source_package.uploads import SigningKey


@pytest.fixture(scope="session")
def gpg_homes() -> Iterator[Path]:
    # Not below pytest's directory: a gpg-agent socket has a path of at most 107 bytes.
    with tempfile.TemporaryDirectory(prefix="uci-gpg-", dir="/tmp") as directory:
        yield Path(directory)


@pytest.fixture(scope="session")
def alice(gpg_homes: Path) -> Iterator[SigningKey]:
    key = SigningKey(gpg_homes / "alice", "Alice <alice@example.com>")
    yield key
    key.close()


@pytest.fixture(scope="session")
def mallory(gpg_homes: Path) -> Iterator[SigningKey]:
    key = SigningKey(gpg_homes / "mallory", "Mallory <mallory@example.com>")
    yield key
    key.close()
