"""An engine that is killed in the middle of a landing and started again."""

from __future__ import annotations

import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cache import TEST_CACHE
from tests.ci_utils.source_package.uploads import throw_away_key
from tests.end_to_end.engine import Engine, running_engine
from tests.end_to_end.shared_parts import lend, prepared
from tests.source_packages import SourcePackage

pytestmark = [pytest.mark.slow, pytest.mark.system, pytest.mark.timeout(600)]


@pytest.fixture
def engine() -> Iterator[Engine]:
    """An engine of its own: it is killed."""
    # Below /var/tmp: sandboxes need to reach the path.
    directory = Path(tempfile.mkdtemp(prefix="uci-restart-", dir="/var/tmp"))
    directory.chmod(0o755)
    lend(prepared(TEST_CACHE / "engine"), directory / "data")
    try:
        with running_engine(directory, UCI_POOL_SIZE="1") as engine:
            yield engine
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def submitted(engine: Engine, tmp_path: Path) -> int:
    """A ticket whose build takes a while, and whose package no image can take."""
    with throw_away_key("Uploader <uploader@example.com>") as key:
        trusted = tmp_path / "uploader.asc"
        trusted.write_bytes(key.public("--armor"))
        assert engine.command("uploader", "add", trusted).returncode == 0
        package = SourcePackage("steady", "1.0", build="sleep 8", depends="no-such-package")
        changes = package.upload(tmp_path, key)
    answer = engine.ubuntu_ci("create_ticket", "-o", "me@example.com", "-s", changes, "-a", "steady")
    assert answer.returncode == 0, answer.stderr
    return int(next(engine.client.tickets(limit=1))["id"])


def _wait_until_building(engine: Engine, ticket_id: int) -> None:
    deadline = time.monotonic() + 240
    while "building steady" not in engine.client.ticket(ticket_id)["message"]:
        assert time.monotonic() < deadline, engine.client.ticket(ticket_id)
        time.sleep(0.2)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_landing_goes_on_where_it_was_and_ends_as_it_would_have(engine, submitted, number):
    _wait_until_building(engine, submitted)
    engine.stop(number)
    engine.start()

    ticket = engine.wait_for_end(submitted)
    assert (ticket["status"], ticket["failed_workflow_step"]) == ("999", "300"), ticket["message"]
    (job,) = engine.client.get("job/", ticket_id=submitted)["objects"]
    assert _states(job) == {
        "reserve": "SUCCESS",
        "build": "SUCCESS",
        "image": "FAILURE",
        "test": "SKIPPED",
        "publish": "SKIPPED",
        "release": "SUCCESS",
    }
    logs = [artifact["name"] for artifact in ticket["subtickets"][0]["artifacts"]]
    assert [name for name in logs if name.endswith(".build.log")] == ["steady_1.0_amd64.build.log"]


def _states(job: dict[str, Any]) -> dict[str, str]:
    return {stage["stage"]: stage["state"] for stage in job["stages"]}
