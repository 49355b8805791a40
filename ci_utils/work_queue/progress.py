"""Progress of a request, from the service that works to the one that waits.

Specification: "Queue Service" (an update every 60 seconds, ten missed mean
unresponsive) and the message tables of each service's chapter.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, suppress
from typing import Any

from ci_utils.clients.base import refused_for_good
from ci_utils.errors import Cancelled, CIError, Unavailable, Unresponsive
from ci_utils.work_queue.broker import Broker, Mailbox

log = logging.getLogger(__name__)

MISSED_UPDATES = 10
POLL_SECONDS = 0.5
#: How often the service is asked while the broker is away.
ASK_WHILE_DEAF_SECONDS = 5.0
#: How long a cancelled service may take to stop and say so.
CANCEL_GRACE_SECONDS = 10


class ProgressPublisher:
    """Sends the messages of one request; every message repeats the `base` fields."""

    def __init__(self, broker: Broker, trigger: str, base: Mapping[str, Any]) -> None:
        self._broker = broker
        self._trigger = trigger
        self._base = {**base, "progress_trigger": trigger}
        self._last: dict[str, Any] = {"state": "WAITING"}
        self._sent_at = 0.0
        self._lock = threading.Lock()

    def waiting(self, message: str = "") -> None:
        """Nothing runs yet; `message` says what is waited for."""
        self._send({"state": "WAITING", "message": message})

    def status(self, message: str, *, current: int | None = None, total: int | None = None) -> None:
        """Work is going on; `current` of `total` steps where that is known."""
        self._send({"state": "STATUS", "message": message, "current": current, "total": total})

    def ended(self, state: str, result: Mapping[str, Any]) -> None:
        """The last message: COMPLETED or FAILED with the request's result."""
        self._send({"state": state, "exit": True, **result})

    def repeat_if_silent(self, interval: float) -> bool:
        """Send the last message again if nothing was sent for `interval` seconds; whether it was."""
        with self._lock:
            silent = time.monotonic() - self._sent_at >= interval
        if silent:
            self._send(self._last)
        return silent

    def _send(self, fields: Mapping[str, Any]) -> None:
        with self._lock:
            self._last = dict(fields)
            self._sent_at = time.monotonic()
        try:
            self._broker.publish_progress(self._trigger, {**self._base, **fields})
        except Unavailable as error:
            log.warning("progress of %s is not sent: %s", self._trigger, error)


def follow(
    broker: Broker,
    trigger: str,
    *,
    start: Callable[[], Mapping[str, Any] | None],
    interval: float,
    cancelled: Callable[[], bool],
) -> Iterator[Mapping[str, Any]]:
    """Yield the progress messages of a request up to the one with `exit`.

    `start` sends the request. It must be idempotent and return the last
    message where the work has ended already, and one without `exit` while it
    waits for its turn: it is called once the queue exists, and again after each
    silent interval, so a lost message or a restart of either side loses
    nothing. While the broker is away it is called instead of listening. What
    waits for its turn may wait for ever; work that has begun is
    `Unresponsive` after ten silent intervals. After `cancelled()` became true
    raises `Cancelled`, once the service has said that it stopped or some
    seconds later; and what the service answers to a request that it refuses.
    """
    with _Ear(broker, trigger) as ear:
        silence = _Silence(interval)
        give_up_at = None
        while True:
            asked = _ask(start) if silence.ask_now(deaf=ear.deaf) else None
            # That a request waits its turn is no news at once, only where a sign of life is due.
            news = asked if asked and (asked.get("exit") or silence.begun) else None
            message = news or ear.listen(POLL_SECONDS)
            if message is None and silence.over:
                raise Unresponsive(f"no progress on {trigger} for {MISSED_UPDATES} updates")
            if message is not None:
                silence.broken()
                # The service may have heard of it, and have stopped, before we looked.
                if message.get("exit") and cancelled():
                    raise Cancelled(f"{trigger} was cancelled")
                yield message
                if message.get("exit"):
                    return
            if give_up_at is None and cancelled():
                give_up_at = time.monotonic() + CANCEL_GRACE_SECONDS
            if give_up_at is not None and time.monotonic() > give_up_at:
                raise Cancelled(f"{trigger} was cancelled, but its service has not said that it stopped")


class _Silence:
    """Counts the updates that should have come."""

    def __init__(self, interval: float) -> None:
        self._interval = interval
        self._since = time.monotonic()
        self._missed = -1  # the first time of asking is no missed update
        self._asked_at = float("-inf")
        self._was_deaf = False

    @property
    def begun(self) -> bool:
        """Whether an update should have come by now."""
        return self._missed > 0

    @property
    def over(self) -> bool:
        """Whether it has lasted too long."""
        return self._missed >= MISSED_UPDATES

    def broken(self) -> None:
        """A message has come."""
        self._since, self._missed = time.monotonic(), 0

    def ask_now(self, *, deaf: bool) -> bool:
        """Whether it is time to ask. While we are `deaf`, hearing nothing is nobody's silence."""
        now = time.monotonic()
        if deaf or self._was_deaf:  # what was told meanwhile was not heard
            due = not deaf or now - self._asked_at >= min(ASK_WHILE_DEAF_SECONDS, self._interval)
            self._since, self._missed, self._was_deaf = now, 0, deaf
        else:
            due = self._missed < int((now - self._since) / self._interval)
            self._missed += due
        if due:
            self._asked_at = now
        return due


class _Ear:
    """The queue of a request's progress, opened again when the broker was away."""

    def __init__(self, broker: Broker, trigger: str) -> None:
        self._broker = broker
        self._trigger = trigger
        self._open = ExitStack()
        self._mailbox: Mailbox | None = None

    def __enter__(self) -> _Ear:
        self._try_to_open()
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    @property
    def deaf(self) -> bool:
        """Whether no message can be heard now."""
        return self._mailbox is None

    def listen(self, seconds: float) -> Mapping[str, Any] | None:
        """The next message, if one comes within these seconds."""
        if self._mailbox is None:
            time.sleep(seconds)
            self._try_to_open()
            return None
        try:
            message: Mapping[str, Any] | None = self._mailbox.read(seconds)
            return message
        except Unavailable as error:
            log.warning("%s: %s; asking the service instead", self._trigger, error)
            self._close()
            return None

    def _try_to_open(self) -> None:
        with suppress(Unavailable):
            self._mailbox = self._open.enter_context(self._broker.progress(self._trigger))

    def _close(self) -> None:
        self._mailbox = None
        with suppress(Unavailable):
            self._open.close()


def _ask(start: Callable[[], Mapping[str, Any] | None]) -> Mapping[str, Any] | None:
    try:
        return start()
    except CIError as error:
        if refused_for_good(error):
            raise
        log.warning("asking again later: %s", error)
        return None
