"""Following a request: what is lost is asked for again, and silence has an end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from ci_utils.clients.work import WAITS_FOR_A_WORKER
from ci_utils.errors import (
    Cancelled,
    CIError,
    Conflict,
    InvalidRequest,
    NotFound,
    Unauthenticated,
    Unavailable,
    Unresponsive,
)
from ci_utils.work_queue import progress
from ci_utils.work_queue.broker import Broker
from ci_utils.work_queue.progress import ProgressPublisher, follow

Message = Mapping[str, Any]
TRIGGER = "lander-1-build"
INTERVAL = 0.1


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "POLL_SECONDS", 0.02)
    monkeypatch.setattr(progress, "CANCEL_GRACE_SECONDS", 0.2)


def following(
    broker: Broker,
    start: Callable[[], Message | None],
    *,
    interval: float = INTERVAL,
    cancelled: Callable[[], bool] = lambda: False,
) -> Iterator[Message]:
    return follow(broker, TRIGGER, start=start, interval=interval, cancelled=cancelled)


def test_messages_come_in_order_up_to_the_last(memory_broker: Broker) -> None:
    publisher = ProgressPublisher(memory_broker, TRIGGER, {"ticket_id": 7})

    def start() -> None:
        publisher.waiting("for a builder")
        publisher.status("building", current=1, total=2)
        publisher.ended("COMPLETED", {"logs": []})

    messages = list(following(memory_broker, start, interval=60))
    assert [message["state"] for message in messages] == ["WAITING", "STATUS", "COMPLETED"]
    assert all(m["ticket_id"] == 7 and m["progress_trigger"] == TRIGGER for m in messages)
    assert messages[-1]["exit"] is True


def test_work_that_has_ended_already_answers_at_once(memory_broker: Broker) -> None:
    ended = {"state": "COMPLETED", "exit": True}
    assert list(following(memory_broker, lambda: ended, interval=60)) == [ended]


def test_a_lost_last_message_is_had_by_asking_again(memory_broker: Broker) -> None:
    answers = iter([None, None, {"state": "COMPLETED", "exit": True}])
    assert list(following(memory_broker, lambda: next(answers))) == [{"state": "COMPLETED", "exit": True}]


def test_a_service_that_is_away_is_asked_again(memory_broker: Broker) -> None:
    asked: list[int] = []

    def start() -> Message:
        asked.append(1)
        if len(asked) < 3:
            raise Unavailable("the image builder does not answer")
        return {"state": "COMPLETED", "exit": True}

    assert len(list(following(memory_broker, start))) == 1
    assert len(asked) == 3


def test_ten_missed_updates_mean_unresponsive(memory_broker: Broker) -> None:
    asked: list[int] = []
    with pytest.raises(Unresponsive, match=TRIGGER):
        list(following(memory_broker, lambda: asked.append(1)))
    assert len(asked) == 1 + progress.MISSED_UPDATES


def test_a_request_may_wait_for_its_turn_for_ever_and_says_so(memory_broker: Broker) -> None:
    answers: list[Message] = [WAITS_FOR_A_WORKER] * (2 * progress.MISSED_UPDATES)
    rest = iter([*answers, {"state": "COMPLETED", "exit": True}])
    *waiting, end = following(memory_broker, lambda: next(rest))
    assert waiting == answers[1:], "the first answer only says that the request was accepted"
    assert end["state"] == "COMPLETED"


def test_work_that_falls_silent_after_its_turn_came_is_unresponsive(memory_broker: Broker) -> None:
    rest = iter([WAITS_FOR_A_WORKER] * 5)
    asked: list[int] = []

    def start() -> Message | None:
        asked.append(1)
        return next(rest, None)

    with pytest.raises(Unresponsive, match=TRIGGER):
        list(following(memory_broker, start))
    assert len(asked) == 5 + progress.MISSED_UPDATES


def test_a_request_that_waits_for_its_turn_can_be_cancelled(memory_broker: Broker) -> None:
    cancelled = threading.Event()
    messages = following(memory_broker, lambda: WAITS_FOR_A_WORKER, cancelled=cancelled.is_set)
    assert next(messages) == WAITS_FOR_A_WORKER
    cancelled.set()
    with pytest.raises(Cancelled, match="has not said"):
        list(messages)


@pytest.mark.parametrize("error", [Unauthenticated("the token is not known"), CIError("status 500")])
def test_what_an_operator_mends_does_not_end_the_work(memory_broker: Broker, error: CIError) -> None:
    asked: list[int] = []

    def start() -> Message:
        asked.append(1)
        if len(asked) < 3:
            raise error
        return {"state": "COMPLETED", "exit": True}

    assert len(list(following(memory_broker, start))) == 1


@pytest.mark.parametrize("error", [InvalidRequest("series: ?"), NotFound("no service"), Conflict("another")])
def test_a_request_that_is_refused_is_not_sent_again(memory_broker: Broker, error: CIError) -> None:
    asked: list[int] = []

    def start() -> None:
        asked.append(1)
        raise error

    with pytest.raises(type(error), match=error.message):
        list(following(memory_broker, start))
    assert len(asked) == 1


def test_a_message_ends_the_silence(memory_broker: Broker) -> None:
    publisher = ProgressPublisher(memory_broker, TRIGGER, {})
    asked: list[int] = []

    def start() -> None:
        asked.append(1)
        if len(asked) in (5, 10):
            publisher.status("still building")
        if len(asked) == 15:
            publisher.ended("COMPLETED", {})

    states = [message["state"] for message in following(memory_broker, start)]
    assert states == ["STATUS", "STATUS", "COMPLETED"]


def test_cancelled_work_ends_when_its_service_says_so(memory_broker: Broker) -> None:
    publisher = ProgressPublisher(memory_broker, TRIGGER, {})
    cancelled = threading.Event()

    def start() -> None:
        publisher.status("building")

    messages = following(memory_broker, start, interval=60, cancelled=cancelled.is_set)
    assert next(messages)["state"] == "STATUS"
    cancelled.set()
    timer = threading.Timer(0.1, publisher.ended, ["FAILED", {"cancelled": True}])
    timer.start()
    with pytest.raises(Cancelled, match=r"was cancelled$"):
        next(messages)
    timer.join()


def test_work_that_its_service_stopped_before_we_heard_of_the_cancellation_is_cancelled(
    memory_broker: Broker,
) -> None:
    """The service asks its `cancel_url` by itself, and may hear of it first."""
    publisher = ProgressPublisher(memory_broker, TRIGGER, {})
    cancelled = threading.Event()

    def start() -> None:
        cancelled.set()
        publisher.ended("FAILED", {"cancelled": True})

    with pytest.raises(Cancelled, match=r"was cancelled$"):
        list(following(memory_broker, start, interval=60, cancelled=cancelled.is_set))


def test_cancelled_work_whose_service_is_silent_is_given_up(memory_broker: Broker) -> None:
    with pytest.raises(Cancelled, match="has not said"):
        list(following(memory_broker, lambda: None, interval=60, cancelled=lambda: True))


@pytest.mark.server
def test_progress_is_followed_on_rabbitmq(rabbitmq_broker: Broker) -> None:
    publisher = ProgressPublisher(rabbitmq_broker, TRIGGER, {"ticket_id": 7})

    def start() -> None:
        publisher.status("building")
        publisher.ended("COMPLETED", {})

    states = [message["state"] for message in following(rabbitmq_broker, start, interval=60)]
    assert states == ["STATUS", "COMPLETED"]


def test_a_broker_that_is_away_does_not_stop_the_work(caplog: pytest.LogCaptureFixture) -> None:
    class Away(Broker):
        def publish_progress(self, trigger: str, message: Message) -> None:
            raise Unavailable("the message broker does not answer (UCI_BROKER)")

    ProgressPublisher(Away("memory://"), TRIGGER, {}).status("building")
    assert "UCI_BROKER" in caplog.text
