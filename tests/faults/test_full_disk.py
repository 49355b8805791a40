"""A disk that is full: tickets fail with that reason, and once there is space the next one runs."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ci_utils.disk_space import DISK_FULL
from tests.ci_utils.source_package.uploads import SigningKey
from tests.end_to_end.engine import VENV_BIN, Engine, until
from tests.end_to_end.shared_parts import lend
from tests.faults import leftovers
from tests.faults.small_disk import SmallDisk, small_disk
from tests.source_packages import SourcePackage

pytestmark = [
    pytest.mark.system,
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a disk that is small enough"),
]

SIZE = 700 << 20  # the base image takes half of it
FEW, SOME = 8 << 20, 200 << 20


@pytest.fixture(scope="module")
def disk() -> Iterator[SmallDisk]:
    with (
        tempfile.TemporaryDirectory(prefix="uci-faults-", dir="/var/tmp") as directory,
        small_disk(Path(directory), size=SIZE) as disk,
    ):
        Path(directory).chmod(0o755)
        yield disk


@pytest.fixture(scope="module")
def engine(disk: SmallDisk, parts: Path, uploader: SigningKey, tmp_path_factory) -> Iterator[Engine]:
    """An engine whose data lies on the small disk."""
    lend(parts, disk.seen / "data")
    (disk.seen / "tmp").mkdir()
    place = tmp_path_factory.mktemp("engine")
    settings = {
        "UCI_DATA_DIR": str(disk.path / "data"),
        "UCI_POOL_SIZE": "1",
        "TMPDIR": str(disk.path / "tmp"),
    }
    program: list[str | Path] = [*disk.entered, VENV_BIN / "uci-engine"]
    engine = Engine(disk.seen / "data", settings, place / "engine.log", program=program)
    key = place / "uploader.asc"
    key.write_bytes(uploader.public("--armor"))
    engine.start()
    try:
        subprocess.run([*program, "uploader", "add", key], env=engine.environment, check=True)
        yield engine
    finally:
        engine.stop()
        print(engine.log.read_text(errors="replace")[-8000:])  # shown if a test fails


@pytest.fixture(autouse=True)
def _warm(engine: Engine, submit) -> None:
    """A first ticket: it makes what the engine keeps for all others, which takes some space too."""
    if not list(engine.client.tickets(limit=1)):
        landed(engine, submit(SourcePackage("first", build="false")))


def the_next_one_runs(engine: Engine, submit) -> None:
    last = next(engine.client.tickets(limit=1))["id"]
    ended = landed(engine, submit(SourcePackage(f"following{last}", build="false")))
    assert "dpkg-buildpackage ended with status 2" in ended["message"]
    until(lambda: [ppa["state"] for ppa in engine.client.get("ppa/")["objects"]] == ["free"])
    leftovers.none_soon(lambda: leftovers.scratch(engine) + leftovers.programs(engine))


def landed(engine: Engine, ticket: int) -> dict[str, Any]:
    return engine.wait_for_end(ticket)


def test_a_build_that_prints_until_the_disk_is_full_fails_with_that_reason(engine, submit, disk):
    loud = SourcePackage("loud", build="head -c 40M /dev/urandom | base64")
    with disk.filled(left=FEW):
        ended = landed(engine, submit(loud))

    assert (ended["failed_workflow_step"], ended["status"]) == ("200", "999")
    assert DISK_FULL in ended["message"]
    the_next_one_runs(engine, submit)


@pytest.mark.sweep
def test_a_package_that_fills_the_disk_in_the_image_fails_with_that_reason(engine, submit, disk):
    bulky = {"postinst": "#!/bin/sh\nhead -c 400M /dev/urandom > /var/bulk\nsync\n"}
    with disk.filled(left=SOME):
        ended = landed(engine, submit(SourcePackage("bulky", maintscripts=bulky), "-a", "bulky"))

    assert (ended["failed_workflow_step"], ended["status"]) == ("300", "999"), ended["message"]
    assert DISK_FULL in ended["message"]
    the_next_one_runs(engine, submit)


@pytest.mark.sweep
def test_without_any_space_uploads_are_refused_and_work_ends_once_there_is_some(
    engine, submit, disk, uploader, tmp_path
):
    ticket = submit(SourcePackage("stuck", build="sleep 3"))
    changes = SourcePackage("late").upload(tmp_path, uploader)
    until(lambda: "building stuck" in engine.client.ticket(ticket)["message"])
    with disk.filled(left=0):
        refused = engine.ubuntu_ci("create_ticket", "-o", "me@example.com", "-s", changes)
        assert engine.client.ticket(ticket)["id"] == ticket  # reading goes on

    assert refused.returncode != 0
    assert DISK_FULL in refused.stderr
    ended = landed(engine, ticket)
    assert (ended["failed_workflow_step"], ended["status"]) == ("200", "999"), ended["message"]
    assert DISK_FULL in ended["message"]
    the_next_one_runs(engine, submit)
