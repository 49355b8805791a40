"""Progress of a request, from the service that works to the one that waits.

Specification: "Queue Service" (an update every 60 seconds, ten missed mean
unresponsive) and the message tables of each service's chapter.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ci_utils.errors import Cancelled, Unavailable, Unresponsive
from ci_utils.work_queue.broker import Broker

log = logging.getLogger(__name__)

MISSED_UPDATES = 10
POLL_SECONDS = 0.5
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

    def repeat_if_silent(self, interval: float) -> None:
        """Send the last message again if nothing was sent for `interval` seconds."""
        with self._lock:
            silent = time.monotonic() - self._sent_at >= interval
        if silent:
            self._send(self._last)

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
    message where the work has ended already: it is called once the queue
    exists, and again after each silent interval, so a lost message or a
    restart of either side loses nothing. Raises `Unresponsive` after ten
    silent intervals; after `cancelled()` became true `Cancelled`, once the
    service has said that it stopped or some seconds later.
    """
    with broker.progress(trigger) as mailbox:
        silent_since = time.monotonic()
        missed = -1  # the first call of `start` is no missed update
        last = None
        give_up_at = None
        while True:
            if missed < int((time.monotonic() - silent_since) / interval):
                missed += 1
                last = _ask(start)
            if missed >= MISSED_UPDATES:
                raise Unresponsive(f"no progress on {trigger} for {MISSED_UPDATES} updates")
            message = last or mailbox.read(POLL_SECONDS)
            if message is not None:
                silent_since, missed, last = time.monotonic(), 0, None
                if message.get("exit") and give_up_at is not None:
                    raise Cancelled(f"{trigger} was cancelled")
                yield message
                if message.get("exit"):
                    return
            if give_up_at is None and cancelled():
                give_up_at = time.monotonic() + CANCEL_GRACE_SECONDS
            if give_up_at is not None and time.monotonic() > give_up_at:
                raise Cancelled(f"{trigger} was cancelled, but its service has not said that it stopped")


def _ask(start: Callable[[], Mapping[str, Any] | None]) -> Mapping[str, Any] | None:
    try:
        return start()
    except Unavailable as error:
        log.warning("asking again later: %s", error)
        return None
