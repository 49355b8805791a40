"""Services apart whose work is waiting, on servers that tests stop and start."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from secrets import token_urlsafe
from typing import Any

import pytest

from ci_utils.errors import CIError
from tests.ci_utils.source_package.uploads import SigningKey
from tests.end_to_end.engine import until
from tests.faults.distributed.stub_engine import WORK_LOG
from tests.harness import servers
from tests.harness.fixtures import go_without
from tests.harness.openstack.swift import Swift
from tests.harness.services import Stack, services_apart
from tests.source_packages import SourcePackage

PROGRAM = (sys.executable, "-m", "tests.faults.distributed.stub_engine")
SETTINGS = {
    "UCI_CONCURRENT_TICKETS": "2",
    "UCI_WORKER_THREADS": "2",
    "UCI_POOL_SIZE": "2",
    # Shorter ones would be missed, and work be taken over or given up, while a disk stalls for half a minute.
    "UCI_LEASE": "30",
    "UCI_PROGRESS_INTERVAL": "6",
}


@dataclass
class Faulty:
    """The services, the servers that they stand on, and what tests ask of both."""

    stack: Stack
    servers: Mapping[str, servers.Server | Proxy]

    def stage_of(self, ticket: int) -> dict[str, str]:
        """State of each stage of a ticket, by the lander."""
        jobs = self.stack.client("lander").get("job/", ticket_id=ticket)["objects"]
        assert len(jobs) <= 1, jobs
        return {stage["stage"]: stage["state"] for job in jobs for stage in job["stages"]}

    def runs(self, ticket: int, stage: str) -> bool:
        """Whether a stage of a ticket runs now."""
        try:
            return self.stage_of(ticket).get(stage) == "RUNNING"
        except CIError:
            return False

    def work(self) -> Counter[str]:
        """How often each piece of work began, was stopped and ended."""
        path = self.stack.data_dir / WORK_LOG
        return Counter(path.read_text().splitlines() if path.exists() else [])

    def hold(self, *kinds: str) -> None:
        """Keep work of these kinds from ending: build, image, test, publish."""
        for kind in kinds:
            (self.stack.data_dir / f"hold-{kind}").touch()

    def let_go(self, *kinds: str) -> None:
        """Let it end; all kinds if none is named."""
        for kind in kinds or ("build", "image", "test", "publish"):
            (self.stack.data_dir / f"hold-{kind}").unlink(missing_ok=True)

    def pool(self) -> list[str]:
        """States of the archives."""
        try:
            return [ppa["state"] for ppa in self.stack.client("ppa_assigner").get("ppa/")["objects"]]
        except CIError:
            return []


@dataclass
class Proxy:
    """What of Swift can be stopped and started: all others reach it through its proxy."""

    swift: Swift

    def start(self) -> None:
        self.swift.start_proxy()

    def stop(self) -> None:
        self.swift.stop_proxy()


@pytest.fixture(scope="session")
def faulty(uploader: SigningKey, swift: Swift, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Faulty]:
    """One stack for all tests here; a test leaves it running and at rest."""
    directory = tmp_path_factory.mktemp("faulty")
    files = {"UCI_DATA_STORE": "swift", "CI_TEMPURL_SIGNING_KEY": token_urlsafe(24), **swift.new_user()}
    try:
        with servers.postgresql_server() as postgresql, servers.rabbitmq_server() as rabbitmq:
            stack = Stack(directory, postgresql.url, rabbitmq.url, {**SETTINGS, **files}, PROGRAM)
            with services_apart(stack):
                key = directory / "uploader.asc"
                key.write_bytes(uploader.public("--armor"))
                stack.command("uploader", "add", key)
                run: dict[str, servers.Server | Proxy] = {
                    "postgresql": postgresql,
                    "rabbitmq": rabbitmq,
                    "swift": Proxy(swift),
                }
                yield Faulty(stack, run)
    except servers.ServerMissing as missing:
        go_without("postgresql", missing)


@pytest.fixture
def submit(faulty: Faulty, uploader: SigningKey, tmp_path: Path) -> Callable[..., int]:
    """Make a ticket of a package and queue it, as a user does; its number."""

    def submit(package: SourcePackage) -> int:
        changes = package.upload(tmp_path, uploader)
        sent = faulty.stack.ubuntu_ci("-v", "1", "create_ticket", "-o", "me@example.com", "-s", changes)
        assert sent.returncode == 0, sent.stdout + sent.stderr
        return int(sent.stdout.split()[0])

    return submit


@pytest.fixture(autouse=True)
def _at_rest(faulty: Faulty) -> Iterator[None]:
    yield
    faulty.let_go()
    until(lambda: faulty.pool() == ["free", "free"])


def landed_once(faulty: Faulty, ticket: dict[str, Any], package: SourcePackage) -> None:
    """The ticket landed, and each piece of its work was begun once and ended once."""
    assert ticket["current_workflow_step"] == "1000", ticket["message"]
    (job,) = faulty.stack.client("lander").get("job/", ticket_id=ticket["id"])["objects"]
    assert {stage["stage"]: stage["state"] for stage in job["stages"]} == dict.fromkeys(
        ("reserve", "build", "image", "test", "publish", "release"), "SUCCESS"
    )
    done = faulty.work()
    named = f"{package.name} {package.version}"
    what = [f"build {named}", f"image lander-{job['id']}-image", f"test lander-{job['id']}-test"]
    times = {f"{verb} {name}": done[f"{verb} {name}"] for name in what for verb in ("begin", "stop", "end")}
    assert times == {name: 0 if name.startswith("stop") else 1 for name in times}
    assert done[f"end publish {named}"] == 1
    steps = [change["workflow_step"] for change in ticket["history"]]
    assert [step for i, step in enumerate(steps) if steps[i - 1 : i] != [step]] == [
        *("000", "100", "200", "300", "400", "500", "1000")
    ]
