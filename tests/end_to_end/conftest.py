"""One engine for the end-to-end tests, with a trusted key and the base image that all share."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cache import TEST_CACHE
from tests.ci_utils.source_package.uploads import SigningKey, throw_away_key
from tests.end_to_end.engine import Engine, running_engine
from tests.end_to_end.shared_parts import lend, prepared


@pytest.fixture(scope="session")
def uploader() -> Iterator[SigningKey]:
    """The key that the engine trusts."""
    with throw_away_key("Uploader <uploader@example.com>") as key:
        yield key


@pytest.fixture(scope="session")
def engine(uploader: SigningKey) -> Iterator[Engine]:
    """A running engine that trusts `uploader`."""
    # Below /var/tmp: images are large, and sandboxes need to reach the path.
    directory = Path(tempfile.mkdtemp(prefix="uci-end-to-end-", dir="/var/tmp"))
    directory.chmod(0o755)
    lend(prepared(TEST_CACHE / "engine"), directory / "data")
    try:
        with running_engine(directory, UCI_POOL_SIZE="1", UCI_TEST_TIMEOUT="900") as engine:
            key = directory / "uploader.asc"
            key.write_bytes(uploader.public("--armor"))
            added = engine.command("uploader", "add", key)
            assert added.returncode == 0, added.stderr
            yield engine
    finally:
        shutil.rmtree(directory, ignore_errors=True)
