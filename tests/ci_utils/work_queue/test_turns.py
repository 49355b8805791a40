"""Requests that need the same thing run one after another; the others run beside them."""

from __future__ import annotations

import threading
import time
from collections import Counter
from datetime import timedelta

import pytest
from django.db import connection

from ci_utils.work_queue import requests, turns
from ci_utils.work_queue.models import WorkRequest
from ci_utils.work_queue.turns import Turns

pytestmark = pytest.mark.django_db(transaction=True)

LEASE = timedelta(seconds=60)
EXPIRED = timedelta(seconds=-1)
THREE = Turns(3, lambda payload: payload["sources"])


def queue(*sources: str) -> list[WorkRequest]:
    """A request for each text, which names what it needs."""
    return [
        WorkRequest.objects.create(queue="test", key=f"ticket-{number}", payload={"sources": text.split()})
        for number, text in enumerate(sources)
    ]


def claim(limits: Turns = THREE, lease: timedelta = LEASE) -> str | None:
    claimed = turns.claim("test", "worker", limits, lease=lease)
    return claimed.key if claimed else None


def end(key: str) -> None:
    row = WorkRequest.objects.get(key=key)
    assert requests.finish(row, WorkRequest.State.COMPLETED, {})


def test_requests_with_nothing_in_common_run_beside_each_other():
    queue("hello", "vim", "nano")

    assert [claim(), claim(), claim()] == ["ticket-0", "ticket-1", "ticket-2"]


def test_no_more_run_at_once_than_may():
    queue("hello", "vim", "nano")
    two = Turns(2, THREE.needs)

    assert [claim(two), claim(two), claim(two)] == ["ticket-0", "ticket-1", None]
    end("ticket-0")
    assert claim(two) == "ticket-2"


def test_requests_that_share_a_source_run_in_the_order_in_which_they_came():
    queue("hello", "hello vim", "vim", "nano")

    assert [claim(), claim(), claim()] == ["ticket-0", "ticket-3", None]
    end("ticket-0")
    assert [claim(), claim()] == ["ticket-1", None]
    end("ticket-1")
    assert claim() == "ticket-2"


def test_a_request_that_needs_much_is_not_overtaken_for_ever():
    queue("hello", "vim", "hello vim")
    assert [claim(), claim()] == ["ticket-0", "ticket-1"]
    for number in range(3, 6):  # more for either source keep coming
        WorkRequest.objects.create(queue="test", key=f"ticket-{number}", payload={"sources": ["hello"]})
    end("ticket-0")
    assert claim() is None
    end("ticket-1")

    assert claim() == "ticket-2"


def test_one_at_a_time_is_first_come_first_served():
    queue("hello", "vim")
    one = Turns()

    assert [claim(one), claim(one)] == ["ticket-0", None]
    end("ticket-0")
    assert claim(one) == "ticket-1"


def test_whose_worker_fell_silent_is_taken_over_before_what_came_later():
    queue("hello", "hello")
    assert claim(lease=EXPIRED) == "ticket-0"

    assert [claim(), claim()] == ["ticket-0", None]
    assert WorkRequest.objects.get(key="ticket-0").attempt == 2


def test_what_was_given_back_keeps_its_turn():
    queue("hello", "hello")
    claim()
    requests.give_back(WorkRequest.objects.get(key="ticket-0"))

    assert claim() == "ticket-0"


def test_another_queue_has_turns_of_its_own():
    queue("hello")
    WorkRequest.objects.create(queue="other", key="ticket-9", payload={"sources": ["hello"]})
    claim()

    claimed = turns.claim("other", "worker", THREE, lease=LEASE)
    assert claimed is not None
    assert claimed.key == "ticket-9"


def test_eight_threads_never_take_two_requests_of_one_source_nor_one_twice():
    names = ("hello", "vim", "nano", "bash")
    queue(*(names[number % len(names)] for number in range(60)))
    running: Counter[str] = Counter()
    taken: list[tuple[str, str]] = []
    broken: list[object] = []
    lock = threading.Lock()
    limits = Turns(3, THREE.needs)

    def work(worker: str) -> None:
        try:
            while WorkRequest.objects.exclude(state="COMPLETED").exists():
                request = turns.claim("test", worker, limits, lease=LEASE)
                if request is None:
                    continue
                (source,) = request.payload["sources"]
                with lock:
                    running[source] += 1
                    taken.append((source, request.key))
                    if running[source] > 1 or running.total() > limits.at_once:
                        broken.append(dict(running))
                time.sleep(0.002)  # work, during which others try
                with lock:
                    running[source] -= 1
                requests.finish(request, WorkRequest.State.COMPLETED, {})
        except Exception as error:
            broken.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=[f"worker-{number}"]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert broken == []
    assert Counter(key for _, key in taken) == Counter({f"ticket-{number}": 1 for number in range(60)})
    for name in names:
        numbers = [int(key.removeprefix("ticket-")) for source, key in taken if source == name]
        assert numbers == sorted(numbers)
