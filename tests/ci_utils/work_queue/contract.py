"""What every broker must do; each broker's test class inherits this and gives the fixture `broker`."""

from __future__ import annotations

import threading
import uuid

import pytest

from ci_utils.work_queue.broker import Broker

SOON = 10.0
NOTHING = 0.2


@pytest.fixture
def name() -> str:
    """A name that no other test uses."""
    return f"test-{uuid.uuid4().hex[:12]}"


class BrokerContract:
    def test_a_wake_up_reaches_a_worker_of_its_queue(self, broker: Broker, name: str) -> None:
        with broker.wake_ups(name) as mailbox:
            broker.wake(name)
            assert mailbox.read(SOON) == {"wake": name}

    def test_a_wake_up_waits_for_a_worker_that_comes_later(self, broker: Broker, name: str) -> None:
        broker.wake(name)
        with broker.wake_ups(name) as mailbox:
            assert mailbox.read(SOON) == {"wake": name}

    def test_a_wake_up_reaches_no_other_queue(self, broker: Broker, name: str) -> None:
        with broker.wake_ups(f"{name}-other") as mailbox:
            broker.wake(name)
            assert mailbox.read(NOTHING) is None

    def test_reading_an_empty_queue_gives_nothing(self, broker: Broker, name: str) -> None:
        with broker.wake_ups(name) as mailbox:
            assert mailbox.read(NOTHING) is None

    def test_a_worker_that_waits_is_woken_by_another_thread(self, broker: Broker, name: str) -> None:
        with broker.wake_ups(name) as mailbox:
            timer = threading.Timer(0.1, broker.wake, [name])
            timer.start()
            assert mailbox.read(SOON) == {"wake": name}
            timer.join()

    def test_progress_arrives_as_it_was_sent(self, broker: Broker, name: str) -> None:
        message = {"state": "STATUS", "message": "süß", "current": 1, "total": None, "logs": [{"a": [1]}]}
        with broker.progress(name) as mailbox:
            broker.publish_progress(name, message)
            assert mailbox.read(SOON) == message

    def test_a_hundred_messages_arrive_in_order(self, broker: Broker, name: str) -> None:
        with broker.progress(name) as mailbox:
            for number in range(100):
                broker.publish_progress(name, {"current": number})
            received = [mailbox.read(SOON) for _ in range(100)]
        assert received == [{"current": number} for number in range(100)]

    def test_progress_without_a_listener_is_no_error_and_is_not_kept(self, broker: Broker, name: str) -> None:
        broker.publish_progress(name, {"state": "STATUS"})
        with broker.progress(name) as mailbox:
            assert mailbox.read(NOTHING) is None

    def test_a_progress_queue_ends_with_its_listener(self, broker: Broker, name: str) -> None:
        with broker.progress(name):
            broker.publish_progress(name, {"state": "STATUS"})
        broker.publish_progress(name, {"state": "STATUS", "message": "late"})
        with broker.progress(name) as mailbox:
            assert mailbox.read(NOTHING) is None

    def test_progress_of_two_requests_is_kept_apart(self, broker: Broker, name: str) -> None:
        with broker.progress(f"{name}-1") as first, broker.progress(f"{name}-2") as second:
            broker.publish_progress(f"{name}-2", {"of": 2})
            broker.publish_progress(f"{name}-1", {"of": 1})
            assert (first.read(SOON), second.read(SOON)) == ({"of": 1}, {"of": 2})

    def test_threads_may_share_a_broker(self, broker: Broker, name: str) -> None:
        def send(number: int) -> None:
            for _ in range(10):
                broker.publish_progress(name, {"thread": number})

        with broker.progress(name) as mailbox:
            threads = [threading.Thread(target=send, args=[number]) for number in range(8)]
            for thread in threads:
                thread.start()
            received = [mailbox.read(SOON) for _ in range(80)]
            for thread in threads:
                thread.join()
        assert sorted(message["thread"] for message in received if message) == sorted([*range(8)] * 10)

    def test_a_broker_that_runs_answers(self, broker: Broker) -> None:
        broker.check()
