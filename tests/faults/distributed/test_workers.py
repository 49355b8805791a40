"""Several workers of one service: one that dies, several that compete, one that falls silent."""

from __future__ import annotations

import os
import signal
from datetime import datetime
from typing import Any

import pytest

from tests.end_to_end.engine import until
from tests.faults.distributed.conftest import Faulty, landed_once
from tests.source_packages import SourcePackage

pytestmark = [pytest.mark.slow, pytest.mark.server, pytest.mark.timeout(1200)]


def running(faulty: Faulty, queue: str) -> list[dict[str, Any]]:
    """What the workers of a service have in hand."""
    status = faulty.stack.client(queue).status()["services"][queue]
    return list(status["running"])


def job_of(faulty: Faulty, ticket: int) -> dict[str, Any]:
    (job,) = faulty.stack.client("lander").get("job/", ticket_id=ticket)["objects"]
    return dict(job)


def test_when_one_of_two_workers_is_killed_the_other_takes_over(faulty: Faulty, submit):
    package = SourcePackage("survivor", "1.0")
    (first,) = faulty.stack.running("branch_source_builder", "worker")
    second = faulty.stack.unit("branch_source_builder", "worker", "branch_source_builder")
    second.wait()
    faulty.hold("build")
    ticket = submit(package)
    until(lambda: faulty.work()["begin build survivor 1.0"] == 1)
    (work,) = running(faulty, "branch_source_builder")
    assert first.process is not None
    dying = first if f"-{first.process.pid}-" in work["worker"] else second

    dying.stop(signal.SIGKILL)

    until(lambda: faulty.work()["begin build survivor 1.0"] == 2)
    faulty.let_go()
    ended = faulty.stack.wait_for_end(ticket)
    assert ended["current_workflow_step"] == "1000", ended["message"]
    done = faulty.work()
    assert (done["begin build survivor 1.0"], done["end build survivor 1.0"]) == (2, 1)
    assert done["end publish survivor 1.0"] == 1


def test_a_worker_that_is_stopped_hands_its_work_back_at_once(faulty: Faulty, submit):
    package = SourcePackage("handed", "1.0")
    faulty.hold("image")
    ticket = submit(package)
    until(lambda: faulty.runs(ticket, "image"))
    until(lambda: len(running(faulty, "image_builder")) == 1)
    (worker,) = faulty.stack.running("image_builder", "worker")

    assert worker.stop(signal.SIGTERM) == 0
    assert running(faulty, "image_builder") == []
    faulty.let_go()
    faulty.stack.unit("image_builder", "worker", "image_builder").wait()

    assert faulty.stack.wait_for_end(ticket)["current_workflow_step"] == "1000"
    trigger = f"image lander-{job_of(faulty, ticket)['id']}-image"
    done = faulty.work()
    assert [done[f"{verb} {trigger}"] for verb in ("begin", "stop", "end")] == [2, 1, 1]


def test_two_landers_land_each_ticket_once_those_of_one_source_in_turn(faulty: Faulty, submit):
    faulty.stack.unit("lander", "worker", "lander").wait()
    packages = [SourcePackage("first", "1.0"), SourcePackage("first", "1.1"), SourcePackage("other", "1.0")]
    faulty.hold("image")
    tickets = [submit(package) for package in packages]

    until(lambda: faulty.runs(tickets[0], "image") and faulty.runs(tickets[2], "image"), 300)
    assert faulty.stage_of(tickets[1]) == {}, "its source is landed by the ticket before it"
    faulty.let_go()
    ended = [faulty.stack.wait_for_end(ticket) for ticket in tickets]

    for ticket, package in zip(ended, packages, strict=True):
        landed_once(faulty, ticket, package)
    older, newer, _ = (job_of(faulty, ticket) for ticket in tickets)
    assert datetime.fromisoformat(older["ended_at"]) <= datetime.fromisoformat(newer["started_at"])


def test_a_service_that_falls_silent_for_ten_updates_fails_the_stage(faulty: Faulty, submit):
    faulty.hold("test")
    ticket = submit(SourcePackage("waiting", "1.0"))
    (worker,) = faulty.stack.running("test_runner", "worker")
    assert worker.process is not None
    until(lambda: faulty.runs(ticket, "test"), 300)
    until(lambda: len(running(faulty, "test_runner")) == 1)

    os.kill(worker.process.pid, signal.SIGSTOP)
    try:
        ended = faulty.stack.wait_for_end(ticket)
    finally:
        os.kill(worker.process.pid, signal.SIGCONT)

    assert (ended["status"], ended["failed_workflow_step"]) == ("999", "400")
    assert "no progress" in ended["message"]
    assert "for 10 updates" in ended["message"]
