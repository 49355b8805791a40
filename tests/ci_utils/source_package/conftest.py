"""Keys for the tests of source packages: made once, they are costly."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ci_utils.source_package.uploads import SigningKey, throw_away_key


@pytest.fixture(scope="session")
def gpg_homes() -> Iterator[Path]:
    # Not below pytest's directory: a gpg-agent socket has a path of at most 107 bytes.
    with tempfile.TemporaryDirectory(prefix="uci-gpg-", dir="/tmp") as directory:
        yield Path(directory)


@pytest.fixture(scope="session")
def alice() -> Iterator[SigningKey]:
    with throw_away_key("Alice <alice@example.com>") as key:
        yield key


@pytest.fixture(scope="session")
def mallory() -> Iterator[SigningKey]:
    with throw_away_key("Mallory <mallory@example.com>") as key:
        yield key
