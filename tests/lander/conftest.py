from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from ci_utils.clients.work import WorkClient
from ci_utils.data_store.local import LocalDataStores
from ci_utils.hosting import ports
from ci_utils.work_queue.progress import ProgressPublisher
from lander.domain import jobs, reporting, run
from lander.domain.land import land
from lander.domain.services import Services
from lander.models import MasterJob
from tests.branch_source_builder.memory_archives import MemoryArchives
from tests.lander.fakes import Assigner, Builder, ImageMaker, Tester, TicketSystem

DATA = "http://127.0.0.1:8000/data"
TRIGGER = "ticket-12"
PARAMETERS: dict[str, Any] = {
    "ticket": "12",
    "source_packages": [f"{DATA}/ticket.12.sources/hello_2.10-4_source.changes"],
    "checksums": {"hello_2.10-4_source.changes": "0" * 64},
    "binary_packages": ["hello"],
    "remove_packages": ["nano"],
    "series": "bookworm",
    "base_image": "",
    "progress_trigger": TRIGGER,
    "cancel_url": None,
    "subtickets": [{"id": 5, "source": "hello", "version": "2.10-4", "artifacts": []}],
    "private": False,
}
LOG = f"{DATA}/ticket.12.logs/hello_2.10-4_amd64.build.log"
BUILT = {
    "state": "COMPLETED",
    "logs": [LOG],
    "builds": [
        {
            "source": "hello",
            "version": "2.10-4",
            "architecture": "amd64",
            "state": "Successfully built",
            "log": LOG,
        }
    ],
}
IMAGE = {
    "state": "COMPLETED",
    "image_id": "abc",
    "image_name": "ticket.12",
    "url_list": ["http://127.0.0.1:8000/images/abc.qcow2"],
    "size": 1,
    "manifest": f"{DATA}/ticket.12.image/lander-1-image.manifest",
    "manifest_diff": f"{DATA}/ticket.12.image/lander-1-image.manifest-diff",
    "logs": [f"{DATA}/ticket.12.image/lander-1-image.log"],
}
TESTED = {
    "state": "COMPLETED",
    "status": "SUCCESS",
    "test_result": "PASSED",
    "test_result_urls": [f"{DATA}/ticket.12.test-runner/hello.subunit"],
    "artifacts": [f"{DATA}/ticket.12.test-runner/hello.tar.gz"],
    "logs": [f"{DATA}/ticket.12.test-runner/hello.log"],
    "results": {"passed": 1, "failed": 0, "skipped": 0},
}
#: Steps and states of a ticket that reaches its last stage.
WAY = [("100", "000"), ("200", "100"), ("300", "100"), ("400", "100"), ("500", "100")]


def states_of(job: MasterJob) -> dict[str, str]:
    return dict(job.stages.values_list("stage", "state"))


def service_of(services: Services, stage: str) -> Any:
    clients: dict[str, WorkClient] = {
        "build": services.branch_source_builder,
        "image": services.image_builder,
        "test": services.test_runner,
    }
    return clients[stage]


@pytest.fixture(autouse=True)
def _without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (run, reporting):
        monkeypatch.setattr(module, "RETRY_SECONDS", 0.01)
    monkeypatch.setattr(reporting, "QUIET_SECONDS", 0)


@pytest.fixture
def services(tmp_path: Path) -> Services:
    broker = ports.broker()
    return Services(
        ticket_system=TicketSystem(),
        ppa_assigner=Assigner(),
        branch_source_builder=Builder(broker, BUILT),
        image_builder=ImageMaker(broker, IMAGE),
        test_runner=Tester(broker, deepcopy(TESTED)),
        archives=MemoryArchives(),
        data_stores=LocalDataStores(tmp_path / "data-store", "http://127.0.0.1:8000", b"key"),
        broker=broker,
        url="http://127.0.0.1:8000",
        progress_interval=60,
    )


@pytest.fixture
def job(db: None) -> MasterJob:
    jobs.accept(PARAMETERS, broker=ports.broker())
    return MasterJob.objects.get()


@pytest.fixture
def landed(job: MasterJob, services: Services) -> Callable[..., MasterJob]:
    """Lands the ticket; a second call goes on where the first one was left."""

    def call(stopping: Callable[[], bool] = lambda: False) -> MasterJob:
        return land(
            progress_trigger=TRIGGER,
            services=services,
            progress=ProgressPublisher(services.broker, TRIGGER, {}),
            stopping=stopping,
        )

    return call
