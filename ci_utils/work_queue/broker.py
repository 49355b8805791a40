"""The only importer of kombu: wake-up queues and progress queues on one broker.

Wake-up messages go to a durable queue per service; a progress queue belongs
to the one request whose progress it carries and goes away after use.
Specification: chapter "Queue Service".
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

import kombu
from kombu.pools import producers

from ci_utils.errors import Unavailable

WAKE = kombu.Exchange("uci.wake", type="direct", durable=True)
PROGRESS = kombu.Exchange("uci.progress", type="direct", durable=True)

RETRY_POLICY = {"max_retries": 3, "interval_start": 0, "interval_step": 0.2, "interval_max": 1}
#: A progress queue that nobody reads any more (a killed lander) is removed by the broker.
PROGRESS_QUEUE_EXPIRES_SECONDS = 3600


class Mailbox:
    """Reads one queue; messages are acknowledged as they are taken."""

    def __init__(self, connection: kombu.Connection, queue: kombu.Queue) -> None:
        self._connection = connection
        self._received: deque[Any] = deque()
        self._consumer = kombu.Consumer(
            connection, [queue], callbacks=[self._take], accept=["json"], prefetch_count=100
        )
        self._consumer.consume()

    def _take(self, body: Any, message: Any) -> None:
        message.ack()
        self._received.append(body)

    def read(self, timeout: float) -> Any | None:
        """The next message; None if none comes within `timeout` seconds."""
        if not self._received:
            with contextlib.suppress(TimeoutError), _broker_errors(self._connection):
                self._connection.drain_events(timeout=timeout)
        return self._received.popleft() if self._received else None


class Broker:
    """A message broker by URL: `memory://` or `amqp://…`. Safe to share between threads."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection = self._connect()

    def _connect(self) -> kombu.Connection:
        if self._url.startswith("memory://"):
            return kombu.Connection(transport="ci_utils.work_queue.memory:Transport")
        return kombu.Connection(self._url, heartbeat=30)

    def wake(self, queue: str) -> None:
        """Tell the workers of a queue that a row waits."""
        self._publish({"wake": queue}, WAKE, queue, declare=[_wake_queue(queue)])

    def publish_progress(self, trigger: str, message: Mapping[str, Any]) -> None:
        """Send a progress message; nobody listening is no error."""
        self._publish(dict(message), PROGRESS, trigger, declare=[PROGRESS])

    @contextlib.contextmanager
    def wake_ups(self, queue: str) -> Iterator[Mailbox]:
        """The wake-up messages of a queue, shared by its workers."""
        with self._mailbox(_wake_queue(queue)) as mailbox:
            yield mailbox

    @contextlib.contextmanager
    def progress(self, trigger: str) -> Iterator[Mailbox]:
        """The progress queue of a request; exists only inside the context."""
        queue = kombu.Queue(
            trigger, PROGRESS, routing_key=trigger, durable=False, expires=PROGRESS_QUEUE_EXPIRES_SECONDS
        )
        with self._mailbox(queue) as mailbox:
            try:
                yield mailbox
            finally:
                with contextlib.suppress(Exception):
                    mailbox._consumer.queues[0].delete()

    def check(self) -> None:
        """Raise `Unavailable` if the broker does not answer."""
        with _broker_errors(self._connection):
            self._connection.ensure_connection(max_retries=1, timeout=3)

    @contextlib.contextmanager
    def _mailbox(self, queue: kombu.Queue) -> Iterator[Mailbox]:
        with self._connect() as connection:
            with _broker_errors(connection):
                mailbox = Mailbox(connection, queue)
            yield mailbox

    def _publish(self, body: Any, exchange: kombu.Exchange, key: str, *, declare: list[Any]) -> None:
        with _broker_errors(self._connection), producers[self._connection].acquire(block=True) as producer:
            producer.publish(
                body,
                exchange=exchange,
                routing_key=key,
                declare=declare,
                serializer="json",
                retry=True,
                retry_policy=RETRY_POLICY,
            )


@contextlib.contextmanager
def _broker_errors(connection: kombu.Connection) -> Iterator[None]:
    """Turn what a broken connection raises into our own error, without the URL's password."""
    try:
        yield
    except TimeoutError:
        raise
    except (*connection.recoverable_connection_errors, kombu.exceptions.OperationalError) as error:
        raise Unavailable("the message broker does not answer (UCI_BROKER)") from error


def _wake_queue(queue: str) -> kombu.Queue:
    return kombu.Queue(f"uci.{queue}", WAKE, routing_key=queue, durable=True)
