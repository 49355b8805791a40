"""The worker loop, with real rows and a real broker in memory."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest

from ci_utils.errors import Cancelled, StageFailed, Unavailable
from ci_utils.work_queue import requests, worker
from ci_utils.work_queue.broker import Broker
from ci_utils.work_queue.models import WorkRequest
from ci_utils.work_queue.worker import Periodic, Task, Work, Worker, run_periodic

pytestmark = pytest.mark.django_db(transaction=True)

Handle = Callable[[Task], Mapping[str, Any]]


def make_worker(handle: Handle, broker: Broker, *, lease: float = 60, interval: float = 60) -> Worker:
    return Worker(
        work=Work("test", handle, message_fields=("ticket_id", "absent")),
        broker=broker,
        lease=timedelta(seconds=lease),
        progress_interval=interval,
        service_token="secret",
        stop=threading.Event(),
    )


def do_one(handle: Handle, broker: Broker) -> tuple[WorkRequest, list[Mapping[str, Any]]]:
    """Accept one request, work it off; returns the row and its progress messages."""
    request, _ = requests.accept("test", "ticket-7", {"ticket_id": 7}, broker=broker)
    with broker.progress("ticket-7") as mailbox:
        assert make_worker(handle, broker).run_one()
        messages = []
        while (message := mailbox.read(0.1)) is not None:
            messages.append(message)
    request.refresh_from_db()
    return request, messages


def test_the_result_of_a_completed_request_is_kept_and_told(memory_broker: Broker) -> None:
    request, messages = do_one(lambda task: {"image_id": "abc"}, memory_broker)
    assert (request.state, request.result) == ("COMPLETED", {"image_id": "abc"})
    assert messages == [
        {
            "state": "COMPLETED",
            "exit": True,
            "image_id": "abc",
            "ticket_id": 7,
            "absent": None,
            "progress_trigger": "ticket-7",
        }
    ]


def test_a_handler_gets_its_payload_and_reports_progress(memory_broker: Broker) -> None:
    seen: list[tuple[str, Mapping[str, Any], int]] = []

    def handle(task: Task) -> Mapping[str, Any]:
        seen.append((task.key, task.payload, task.attempt))
        task.progress.waiting("for a machine")
        task.progress.status("testing", current=1, total=2)
        return {}

    _, messages = do_one(handle, memory_broker)
    assert seen == [("ticket-7", {"ticket_id": 7}, 1)]
    assert [(m["state"], m.get("message"), m.get("current"), m.get("total")) for m in messages] == [
        ("WAITING", "for a machine", None, None),
        ("STATUS", "testing", 1, 2),
        ("COMPLETED", None, None, None),
    ]
    assert {m["ticket_id"] for m in messages} == {7}


def test_a_failed_stage_keeps_its_logs_and_its_sentence(memory_broker: Broker) -> None:
    def handle(task: Task) -> Mapping[str, Any]:
        raise StageFailed("hello failed to build", result={"logs": ["http://localhost/log"]})

    request, messages = do_one(handle, memory_broker)
    assert request.state == "FAILED"
    assert request.result == {"message": "hello failed to build", "logs": ["http://localhost/log"]}
    assert (messages[-1]["state"], messages[-1]["exit"]) == ("FAILED", True)


def test_a_result_that_quotes_what_no_database_stores_is_kept_all_the_same(memory_broker: Broker) -> None:
    request, messages = do_one(
        lambda task: {"results": [{"reason": "a\0b\ud800"}], "path": "\\u0000"}, memory_broker
    )
    expected = {"results": [{"reason": "a\ufffdb?"}], "path": "\\u0000"}
    assert request.result == expected
    assert messages[0]["results"] == expected["results"]


def test_an_error_of_ours_fails_the_request_with_its_sentence(memory_broker: Broker) -> None:
    def handle(task: Task) -> Mapping[str, Any]:
        raise Unavailable("the archive does not answer")

    request, _ = do_one(handle, memory_broker)
    assert (request.state, request.result) == ("FAILED", {"message": "the archive does not answer"})


def test_an_unexpected_error_is_logged_and_shows_nothing_of_itself(
    memory_broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    def handle(task: Task) -> Mapping[str, Any]:
        raise ValueError("detail for operators")

    request, messages = do_one(handle, memory_broker)
    assert request.state == "FAILED"
    assert "detail for operators" not in str(request.result) + str(messages)
    assert "detail for operators" in caplog.text


def test_cancelled_work_fails_as_cancelled(memory_broker: Broker) -> None:
    def handle(task: Task) -> Mapping[str, Any]:
        raise Cancelled("the work was cancelled")

    request, _ = do_one(handle, memory_broker)
    assert (request.state, request.result) == (
        "FAILED",
        {"message": "the work was cancelled", "cancelled": True},
    )


def test_work_in_hand_goes_back_to_the_queue_when_the_engine_stops(memory_broker: Broker) -> None:
    running = make_worker(lambda task: {}, memory_broker)

    def handle(task: Task) -> Mapping[str, Any]:
        running.stop.set()
        assert task.cancelled()
        raise Cancelled("the engine stops")

    running.work = Work("test", handle)
    request, _ = requests.accept("test", "ticket-7", {}, broker=memory_broker)
    assert running.run_one()
    request.refresh_from_db()
    assert (request.state, request.result) == ("QUEUED", None)


def test_a_worker_that_lost_its_lease_is_told_and_its_result_is_dropped(
    memory_broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "HEARTBEAT_SECONDS", 0.02)

    def handle(task: Task) -> Mapping[str, Any]:
        WorkRequest.objects.update(attempt=2, worker="other")
        wait_until(task.cancelled)
        return {"by": "late"}

    requests.accept("test", "ticket-7", {}, broker=memory_broker)
    assert make_worker(handle, memory_broker, lease=0.06).run_one()
    row = WorkRequest.objects.get()
    assert (row.state, row.worker, row.result) == ("RUNNING", "other", None)


def test_the_lease_is_kept_while_work_goes_on(memory_broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "HEARTBEAT_SECONDS", 0.02)

    def handle(task: Task) -> Mapping[str, Any]:
        first = WorkRequest.objects.get().leased_until_at
        wait_until(lambda: WorkRequest.objects.get().leased_until_at != first)
        return {}

    requests.accept("test", "ticket-7", {}, broker=memory_broker)
    assert make_worker(handle, memory_broker, lease=3).run_one()
    assert WorkRequest.objects.get().state == "COMPLETED"


def test_a_silent_handler_still_shows_a_sign_of_life(
    memory_broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "HEARTBEAT_SECONDS", 0.02)
    received: list[Any] = []
    with memory_broker.progress("ticket-7") as mailbox:

        def handle(task: Task) -> Mapping[str, Any]:
            task.progress.status("booting")
            received.extend(mailbox.read(5) for _ in range(3))
            return {}

        requests.accept("test", "ticket-7", {}, broker=memory_broker)
        make_worker(handle, memory_broker, interval=0.05).run_one()
    assert [message["message"] for message in received] == ["booting"] * 3


def test_a_worker_without_requests_has_nothing_to_do(memory_broker: Broker) -> None:
    assert not make_worker(lambda task: {}, memory_broker).run_one()


def test_a_running_worker_is_woken_by_what_is_accepted(memory_broker: Broker) -> None:
    with running_worker(lambda task: {"done": task.key}, memory_broker):
        time.sleep(0.1)  # let it wait for a message
        requests.accept("test", "ticket-1", {}, broker=memory_broker)
        wait_until(lambda: WorkRequest.objects.filter(state="COMPLETED").exists())


def test_a_lost_wake_up_is_made_good_by_the_sweep(
    memory_broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "SWEEP_SECONDS", 0.1)
    with running_worker(lambda task: {}, memory_broker):
        WorkRequest.objects.create(queue="test", key="ticket-1", payload={})
        wait_until(lambda: WorkRequest.objects.filter(state="COMPLETED").exists())


def test_requests_of_one_worker_are_done_one_after_another(memory_broker: Broker) -> None:
    done: list[str] = []

    def handle(task: Task) -> Mapping[str, Any]:
        assert WorkRequest.objects.filter(state="RUNNING").count() == 1
        done.append(task.key)
        return {}

    for number in range(3):
        requests.accept("test", f"ticket-{number}", {}, broker=memory_broker)
    with running_worker(handle, memory_broker):
        wait_until(lambda: len(done) == 3)
    assert done == ["ticket-0", "ticket-1", "ticket-2"]


def test_a_periodic_task_goes_on_after_an_error(caplog: pytest.LogCaptureFixture) -> None:
    stop = threading.Event()
    runs: list[int] = []

    def run() -> None:
        runs.append(len(runs))
        if len(runs) == 1:
            raise Unavailable("the archive is away")
        if len(runs) == 2:
            raise ValueError("unexpected")
        stop.set()

    with caplog.at_level(logging.WARNING):
        run_periodic(Periodic("cleaner", 0.01, run), stop)
    assert runs == [0, 1, 2]
    assert "the archive is away" in caplog.text


@contextmanager
def running_worker(handle: Handle, broker: Broker) -> Iterator[None]:
    running = make_worker(handle, broker)
    thread = threading.Thread(target=running.run)
    thread.start()
    try:
        yield
    finally:
        running.stop.set()
        thread.join()


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)
