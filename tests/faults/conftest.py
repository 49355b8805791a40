"""Engines that faults are done to: each has a data directory and a TMPDIR of its own."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cache import TEST_CACHE
from tests.ci_utils.source_package.uploads import SigningKey, throw_away_key
from tests.end_to_end.engine import Engine
from tests.end_to_end.shared_parts import lend, prepared
from tests.faults.leftovers import adopting_orphans
from tests.source_packages import SourcePackage

#: Makes a ticket out of a package and queues it; returns its number.
Submit = Callable[..., int]


@pytest.fixture(scope="session")
def uploader() -> Iterator[SigningKey]:
    """The key that the engines trust."""
    with throw_away_key("Uploader <uploader@example.com>") as key:
        yield key


@pytest.fixture(scope="module")
def parts() -> Path:
    """What all engines share."""
    return prepared(TEST_CACHE / "engine")


@pytest.fixture
def settings() -> dict[str, str]:
    """Settings of the engine; tests override this."""
    return {}


@contextmanager
def mortal_engine(parts: Path, uploader: SigningKey, **settings: str) -> Iterator[Engine]:
    """A running engine that trusts `uploader`; it may be killed."""
    # Below /var/tmp: images are large, and sandboxes need to reach the path.
    directory = Path(tempfile.mkdtemp(prefix="uci-faults-", dir="/var/tmp"))
    directory.chmod(0o755)
    lend(parts, directory / "data")
    scratch = directory / "tmp"
    scratch.mkdir()
    key = directory / "uploader.asc"
    key.write_bytes(uploader.public("--armor"))
    fixed = {"TMPDIR": str(scratch), "UCI_POOL_SIZE": "1"}
    engine = Engine(directory / "data", {**fixed, **settings}, directory / "engine.log")
    try:
        with adopting_orphans():
            engine.start()
            added = engine.command("uploader", "add", key)
            assert added.returncode == 0, added.stderr
            yield engine
            engine.stop()
    finally:
        engine.stop()
        print(engine.log.read_text(errors="replace")[-8000:])  # shown if the test fails
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def engine(parts: Path, uploader: SigningKey, settings: dict[str, str]) -> Iterator[Engine]:
    """An engine of the test's own."""
    with mortal_engine(parts, uploader, **settings) as engine:
        yield engine


@pytest.fixture
def submit(engine: Engine, uploader: SigningKey, tmp_path: Path) -> Submit:
    def submit(package: SourcePackage, *options: str) -> int:
        changes = package.upload(tmp_path, uploader)
        answer = engine.ubuntu_ci("-v", "1", "create_ticket", "-o", "me@example.com", "-s", changes, *options)
        assert answer.returncode == 0, answer.stderr
        return int(answer.stdout.split()[0])

    return submit
