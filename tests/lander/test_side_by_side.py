"""Several landers at once: tickets without a common source run beside each other, the others in turn."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from ci_utils.hosting import ports
from ci_utils.work_queue.turns import Turns
from ci_utils.work_queue.worker import Worker
from lander import worker as lander_worker
from lander.domain import jobs
from lander.domain.services import Services
from lander.models import MasterJob
from tests.lander.conftest import DATA, PARAMETERS
from tests.lander.fakes import Assigner, Message

pytestmark = pytest.mark.django_db(transaction=True)


class Pool(Assigner):
    """An archive for every ticket."""

    def __init__(self) -> None:
        super().__init__()
        self.held: dict[int, Message] = {}

    def list(self, **filters: Any) -> list[Message]:
        return [ppa for ticket, ppa in self.held.items() if ticket == filters["ticket_id"]]

    def get_ppa(self, ticket_id: int) -> Message:
        return self.held.setdefault(ticket_id, {**self.ppa, "id": ticket_id, "ticket_id": ticket_id})

    def release(self, ppa_id: int, ticket_id: int | None = None) -> None:
        del self.held[ppa_id]


@pytest.fixture
def services(services: Services, monkeypatch: pytest.MonkeyPatch) -> Services:
    shared = replace(services, ppa_assigner=Pool())
    monkeypatch.setattr(lander_worker, "_services", lambda: shared)
    return shared


def queue(ticket: int, *sources: str) -> None:
    parameters = {
        "ticket": str(ticket),
        "progress_trigger": f"ticket-{ticket}",
        "source_packages": [
            f"{DATA}/ticket.{ticket}.sources/{source}_1.0_source.changes" for source in sources
        ],
        "subtickets": [{"id": ticket, "source": source, "version": "1.0"} for source in sources],
    }
    jobs.accept(PARAMETERS | parameters, broker=ports.broker())


@contextmanager
def landers(at_once: int, processes: int = 1) -> Iterator[None]:
    """As many threads as so many processes would have with UCI_CONCURRENT_TICKETS=`at_once`."""
    stop = threading.Event()
    work = replace(lander_worker.WORK[0], turns=Turns(at_once, jobs.sources))
    workers = [
        Worker(work, ports.broker(), timedelta(seconds=60), 60, "token", stop)
        for _ in range(at_once * processes)
    ]
    threads = [threading.Thread(target=worker.run) for worker in workers]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def all_landed(count: int) -> list[MasterJob]:
    deadline = time.monotonic() + 300
    while MasterJob.objects.filter(state=MasterJob.State.SUCCESS).count() < count:
        assert time.monotonic() < deadline, [*MasterJob.objects.values_list("ticket_id", "state", "message")]
        time.sleep(0.02)
    return [*MasterJob.objects.order_by("started_at")]


def one_after_another(landed: list[MasterJob]) -> bool:
    times = [time for job in landed for time in (job.started_at, job.ended_at) if time]
    return times == sorted(times)


def test_tickets_without_a_common_source_are_landed_beside_each_other(services):
    both_build = threading.Barrier(2, timeout=200)  # one that is alone at it fails
    services.branch_source_builder.then = both_build.wait
    queue(1, "hello")
    queue(2, "vim")

    with landers(2):
        assert {job.ticket_id for job in all_landed(2)} == {1, 2}


def test_tickets_with_a_common_source_are_landed_in_the_order_in_which_they_came(services):
    at_work: list[int] = []
    most: list[int] = []

    def build() -> None:
        at_work.append(1)
        most.append(len(at_work))
        time.sleep(0.05)
        at_work.pop()

    services.branch_source_builder.then = build
    for ticket, sources in enumerate((["hello"], ["hello", "vim"], ["vim"], ["vim"]), 1):
        queue(ticket, *sources)

    with landers(3):
        landed = all_landed(4)

    assert [job.ticket_id for job in landed] == [1, 2, 3, 4]
    assert one_after_another(landed)
    assert max(most) == 1


def test_one_at_a_time_holds_for_all_landers_together(services):
    with landers(1, processes=3):
        for ticket, source in enumerate(("hello", "vim", "nano", "bash"), 1):
            queue(ticket, source)
        landed = all_landed(4)

    assert [job.ticket_id for job in landed] == [1, 2, 3, 4]
    assert one_after_another(landed)


def test_three_landers_land_each_ticket_once(services):
    built: list[str] = []
    start: Callable[[Message], Message | None] = services.branch_source_builder.start

    def counted(parameters: Message) -> Message | None:
        built.append(parameters["progress_trigger"])
        return start(parameters)

    services.branch_source_builder.start = counted
    for ticket in range(1, 7):
        queue(ticket, f"source{ticket}")

    with landers(2, processes=3):
        all_landed(6)

    assert len(built) == len(set(built)) == 6
    assert MasterJob.objects.count() == 6


def test_a_source_is_known_by_its_files_where_no_subticket_names_it():
    urls = [f"{DATA}/ticket.1.sources/{name}" for name in ("vim_9.1-2.dsc", "vim_9.1.orig.tar.xz")]

    assert jobs.sources({"source_packages": [*urls, f"{DATA}/t/nano_1%2Bb_source.changes"]}) == {
        "vim",
        "nano",
    }
