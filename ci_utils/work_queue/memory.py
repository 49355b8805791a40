"""kombu's in-memory transport, waking at once instead of polling, and forgetting what is deleted.

The transport that kombu ships asks every queue again and again with a pause
in between; a whole engine in one process would either answer late or never
rest. Here a message that arrives wakes those who wait for one. And where that
transport keeps the bindings of a deleted queue and revives it when a late
message comes, here, as with RabbitMQ, the queue is gone and the message with it.
"""

from __future__ import annotations

import threading
import time
from queue import Empty
from typing import Any

from kombu.transport import memory

_arrived = threading.Condition()


class Channel(memory.Channel):  # type: ignore[misc]
    """A channel whose messages wake who waits for them."""

    def _put(self, queue: str, message: Any, **options: Any) -> None:
        with _arrived:
            if queue in self.queues:
                super()._put(queue, message, **options)
                _arrived.notify_all()

    def _delete(self, queue: str, *args: Any, **kwargs: Any) -> None:
        with _arrived:
            super()._delete(queue, *args, **kwargs)
            for exchange in self.state.exchanges.values():
                exchange["table"] = [row for row in exchange["table"] if row[2] != queue]


class Transport(memory.Transport):  # type: ignore[misc]
    """A transport that sleeps until a message arrives."""

    Channel = Channel

    def drain_events(self, connection: Any, timeout: float | None = None) -> None:
        deadline = None if timeout is None else time.monotonic() + timeout
        with _arrived:
            while True:
                try:
                    self.cycle.get(self._deliver, timeout=0)
                    return
                except Empty:
                    remaining = None if deadline is None else deadline - time.monotonic()
                    if remaining is not None and remaining <= 0:
                        raise TimeoutError from None
                    _arrived.wait(remaining)
