"""The rows of accepted work. The harness runs these on PostgreSQL too."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from ci_utils.errors import Conflict
from ci_utils.work_queue import requests
from ci_utils.work_queue.broker import Broker
from ci_utils.work_queue.models import WorkRequest

LEASE = timedelta(seconds=60)
EXPIRED = timedelta(seconds=-1)


@pytest.fixture
def waiting(db: None) -> list[WorkRequest]:
    """Three requests on the queue `test`, oldest first."""
    return [
        WorkRequest.objects.create(queue="test", key=f"ticket-{number}", payload={}) for number in range(3)
    ]


@pytest.mark.django_db(transaction=True)
def test_an_accepted_request_wakes_a_worker(memory_broker: Broker) -> None:
    with memory_broker.wake_ups("test") as mailbox:
        request, created = requests.accept("test", "ticket-1", {"a": 1}, broker=memory_broker)
        assert mailbox.read(5) == {"wake": "test"}
    assert (created, request.state, request.payload) == (True, "QUEUED", {"a": 1})


@pytest.mark.django_db(transaction=True)
def test_a_request_sent_twice_is_there_once_and_wakes_once(memory_broker: Broker) -> None:
    first, _ = requests.accept("test", "ticket-1", {"a": [1, {"b": None}]}, broker=memory_broker)
    with memory_broker.wake_ups("test") as mailbox:
        assert mailbox.read(5) is not None
        second, created = requests.accept("test", "ticket-1", {"a": [1, {"b": None}]}, broker=memory_broker)
        assert mailbox.read(0.1) is None
    assert (created, second.pk, WorkRequest.objects.count()) == (False, first.pk, 1)


@pytest.mark.django_db(transaction=True)
def test_a_key_cannot_stand_for_two_requests(memory_broker: Broker) -> None:
    requests.accept("test", "ticket-1", {"a": 1}, broker=memory_broker)
    with pytest.raises(Conflict, match="ticket-1"):
        requests.accept("test", "ticket-1", {"a": 2}, broker=memory_broker)
    assert WorkRequest.objects.get().payload == {"a": 1}


@pytest.mark.django_db(transaction=True)
def test_queues_have_keys_of_their_own(memory_broker: Broker) -> None:
    requests.accept("test", "ticket-1", {"a": 1}, broker=memory_broker)
    _, created = requests.accept("other", "ticket-1", {"a": 2}, broker=memory_broker)
    assert created


def test_requests_are_claimed_in_the_order_they_came(waiting: list[WorkRequest]) -> None:
    claimed = [requests.claim("test", "worker", lease=LEASE) for _ in range(4)]
    assert claimed == [*waiting, None]


@pytest.mark.skipif(connection.vendor != "sqlite", reason="asks SQLite for its plan")
def test_a_claim_sorts_nothing_however_many_wait(waiting: list[WorkRequest]) -> None:
    with CaptureQueriesContext(connection) as queries:
        requests.claim("test", "worker", lease=LEASE)
    asked = [query["sql"] for query in queries if query["sql"].startswith("SELECT")]
    with connection.cursor() as cursor:
        plans = [str(cursor.execute(f"EXPLAIN QUERY PLAN {sql}").fetchall()) for sql in asked]
    assert len(plans) > 1
    assert not [plan for plan in plans if "TEMP B-TREE" in plan]


def test_a_claimed_request_is_running_with_its_worker(waiting: list[WorkRequest]) -> None:
    claimed = requests.claim("test", "worker", lease=LEASE)
    assert claimed is not None
    assert (claimed.state, claimed.worker, claimed.attempt) == ("RUNNING", "worker", 1)
    assert claimed.started_at is not None


def test_a_worker_claims_from_its_own_queue_only(waiting: list[WorkRequest]) -> None:
    assert requests.claim("other", "worker", lease=LEASE) is None


def test_an_expired_lease_is_taken_over_and_the_late_worker_changes_nothing(
    waiting: list[WorkRequest],
) -> None:
    late = requests.claim("test", "late", lease=EXPIRED)
    quick = requests.claim("test", "quick", lease=LEASE)
    assert late is not None
    assert quick is not None
    assert (quick.pk, quick.attempt) == (late.pk, 2)
    assert not requests.renew(late, lease=LEASE)
    assert not requests.finish(late, WorkRequest.State.COMPLETED, {"by": "late"})
    assert requests.finish(quick, WorkRequest.State.COMPLETED, {"by": "quick"})
    assert WorkRequest.objects.get(pk=quick.pk).result == {"by": "quick"}


def test_a_renewed_lease_is_not_taken_over(waiting: list[WorkRequest]) -> None:
    mine = requests.claim("test", "worker", lease=EXPIRED)
    assert mine is not None
    assert requests.renew(mine, lease=LEASE)
    other = requests.claim("test", "other", lease=LEASE)
    assert other is not None
    assert other.pk != mine.pk


def test_an_end_is_recorded_once(waiting: list[WorkRequest]) -> None:
    mine = requests.claim("test", "worker", lease=LEASE)
    assert mine is not None
    assert requests.finish(mine, WorkRequest.State.FAILED, {"message": "no"})
    assert not requests.finish(mine, WorkRequest.State.COMPLETED, {})
    mine.refresh_from_db()
    assert (mine.state, mine.ended, mine.leased_until_at) == ("FAILED", True, None)
    assert mine.ended_at is not None


def test_a_request_given_back_keeps_its_place(waiting: list[WorkRequest]) -> None:
    mine = requests.claim("test", "worker", lease=LEASE)
    assert mine is not None
    requests.give_back(mine)
    again = requests.claim("test", "worker", lease=LEASE)
    assert again is not None
    assert (again.pk, again.attempt) == (mine.pk, 2)


def test_what_a_dead_process_held_is_free_again(waiting: list[WorkRequest]) -> None:
    mine = requests.claim("test", "worker", lease=LEASE)
    assert requests.void_leases() == 1
    assert requests.claim("test", "worker", lease=LEASE) == mine


def test_the_status_counts_states_and_names_what_runs(waiting: list[WorkRequest]) -> None:
    mine = requests.claim("test", "worker", lease=LEASE)
    assert mine is not None
    status = requests.queue_status("test")
    assert status["requests"] == {"queued": 2, "running": 1, "completed": 0, "failed": 0}
    assert [(r["request"], r["worker"], r["attempt"]) for r in status["running"]] == [
        ("ticket-0", "worker", 1)
    ]


@pytest.mark.django_db(transaction=True)
def test_two_hundred_requests_are_claimed_once_each_by_eight_threads() -> None:
    WorkRequest.objects.bulk_create(
        WorkRequest(queue="test", key=f"ticket-{number}", payload={}) for number in range(200)
    )
    wins: Counter[str] = Counter()
    errors: list[Exception] = []

    def work(worker: str) -> None:
        try:
            while (request := requests.claim("test", worker, lease=LEASE)) is not None:
                wins[request.key] += 1
                requests.finish(request, WorkRequest.State.COMPLETED, {})
        except Exception as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=[f"worker-{number}"]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert wins == Counter({f"ticket-{number}": 1 for number in range(200)})
    assert WorkRequest.objects.filter(state="COMPLETED", attempt=1).count() == 200
