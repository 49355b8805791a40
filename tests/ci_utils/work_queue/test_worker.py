"""The worker loop, with real rows and a real broker in memory."""

from __future__ import annotations

import errno
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.db.utils import InternalError, OperationalError

from ci_utils.clients.cancel import CancelWatch
from ci_utils.disk_space import DISK_FULL
from ci_utils.errors import Cancelled, StageFailed, Unavailable
from ci_utils.work_queue import requests, worker
from ci_utils.work_queue.broker import Broker
from ci_utils.work_queue.models import WorkRequest
from ci_utils.work_queue.worker import Periodic, Task, Work, Worker, run_periodic

pytestmark = pytest.mark.django_db(transaction=True)

#: What a server of PostgreSQL raises that another one takes the place of.
READ_ONLY = InternalError("cannot execute UPDATE in a read-only transaction")

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


def test_a_full_disk_is_said_to_be_the_reason(memory_broker: Broker) -> None:
    def handle(task: Task) -> Mapping[str, Any]:
        raise OSError(errno.ENOSPC, "No space left on device", "/srv/secret")

    request, _ = do_one(handle, memory_broker)
    assert (request.state, request.result) == ("FAILED", {"message": DISK_FULL})


def test_cancelled_work_fails_as_cancelled(memory_broker: Broker) -> None:
    def handle(task: Task) -> Mapping[str, Any]:
        raise Cancelled("the work was cancelled")

    request, _ = do_one(handle, memory_broker)
    assert (request.state, request.result) == (
        "FAILED",
        {"message": "the work was cancelled", "cancelled": True},
    )


@pytest.mark.parametrize(("attempts_before", "done"), [(0, []), (1, ["ticket-7"])])
def test_what_is_withdrawn_before_its_turn_is_not_begun_but_what_was_begun_is_cleared_away(
    memory_broker: Broker, monkeypatch: pytest.MonkeyPatch, attempts_before: int, done: list[str]
) -> None:
    monkeypatch.setattr(CancelWatch, "cancelled", lambda self: True)
    handled: list[str] = []

    def handle(task: Task) -> Mapping[str, Any]:
        handled.append(task.key)
        raise Cancelled("its machine is removed")

    accepted, _ = requests.accept("test", "ticket-7", {}, broker=memory_broker)
    WorkRequest.objects.update(attempt=attempts_before)
    assert make_worker(handle, memory_broker).run_one()
    accepted.refresh_from_db()
    assert handled == done
    assert accepted.result is not None
    assert (accepted.state, accepted.result["cancelled"]) == ("FAILED", True)


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


def until_renewed(task: Task) -> Mapping[str, Any]:
    """Work that ends once its lease was renewed."""
    first = WorkRequest.objects.get().leased_until_at
    wait_until(lambda: WorkRequest.objects.get().leased_until_at != first)
    return {}


def test_the_lease_is_kept_while_work_goes_on(memory_broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "HEARTBEAT_SECONDS", 0.02)

    requests.accept("test", "ticket-7", {}, broker=memory_broker)
    assert make_worker(until_renewed, memory_broker, lease=3).run_one()
    assert WorkRequest.objects.get().state == "COMPLETED"


def test_the_lease_is_kept_after_an_unexpected_error(
    memory_broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "HEARTBEAT_SECONDS", 0.02)
    monkeypatch.setattr(worker, "RETRY_SECONDS", 0.02)
    renew, errors = requests.renew, iter([ValueError("unexpected")])

    def failing_first(*args: Any, **options: Any) -> bool:
        for error in errors:
            raise error
        return renew(*args, **options)

    monkeypatch.setattr(requests, "renew", failing_first)

    requests.accept("test", "ticket-7", {}, broker=memory_broker)
    assert make_worker(until_renewed, memory_broker, lease=3).run_one()
    assert WorkRequest.objects.get().state == "COMPLETED"


def test_a_silent_handler_still_shows_a_sign_of_life(
    memory_broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "HEARTBEAT_SECONDS", 0.02)
    received: list[Any] = []
    with memory_broker.progress("ticket-7") as mailbox:

        def handle(task: Task) -> Mapping[str, Any]:
            task.progress.status("booting")
            received.extend(mailbox.read(100) for _ in range(3))
            return {}

        requests.accept("test", "ticket-7", {}, broker=memory_broker)
        make_worker(handle, memory_broker, interval=0.05).run_one()
    assert [message["message"] for message in received] == ["booting"] * 3


def test_work_that_was_taken_over_tells_soon_again_where_it_is(
    memory_broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "HEARTBEAT_SECONDS", 0.02)
    monkeypatch.setattr(worker, "FIRST_REPEAT_SECONDS", 0.05)
    told, heard = threading.Event(), threading.Event()

    def handle(task: Task) -> Mapping[str, Any]:
        task.progress.status("building hello")
        told.set()
        assert heard.wait(100)
        return {}

    requests.accept("test", "ticket-7", {"ticket_id": 7}, broker=memory_broker)
    assert requests.claim("test", "killed", lease=timedelta(seconds=-1))
    successor = threading.Thread(target=make_worker(handle, memory_broker).run_one)
    successor.start()
    assert told.wait(100)  # while nobody listened
    with memory_broker.progress("ticket-7") as mailbox:
        message = mailbox.read(100)
        heard.set()
    successor.join()
    assert message is not None
    assert message["message"] == "building hello"


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


@pytest.mark.parametrize("error", [ValueError("unexpected"), READ_ONLY, OperationalError("gone")])
def test_a_worker_outlives_any_error(
    memory_broker: Broker, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr(worker, "RETRY_SECONDS", 0.02)
    monkeypatch.setattr(worker, "RENEWAL_SECONDS", 0)
    claim, errors = requests.claim, iter([error])

    def failing_first(*args: Any, **options: Any) -> WorkRequest | None:
        for each in errors:
            raise each
        return claim(*args, **options)

    monkeypatch.setattr(requests, "claim", failing_first)
    requests.accept("test", "ticket-1", {}, broker=memory_broker)
    with running_worker(lambda task: {}, memory_broker):
        wait_until(lambda: WorkRequest.objects.filter(state="COMPLETED").exists())


def test_work_whose_database_only_lets_itself_be_read_is_done_again(memory_broker: Broker) -> None:
    def handle(task: Task) -> Mapping[str, Any]:
        raise READ_ONLY

    request, messages = do_one(handle, memory_broker)
    assert (request.state, messages) == ("QUEUED", [])


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
    deadline = time.monotonic() + 200
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)
