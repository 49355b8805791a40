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

from ci_utils.errors import ConfigurationError, Unavailable

WAKE = kombu.Exchange("uci.wake", type="direct", durable=True)
PROGRESS = kombu.Exchange("uci.progress", type="direct", durable=True)

RETRY_POLICY = {"max_retries": 3, "interval_start": 0, "interval_step": 0.2, "interval_max": 1}
CONNECT_SECONDS = 5
#: A broker that has not confirmed a message by then is taken to be away.
CONFIRM_SECONDS = 10
#: Listeners show this often that they live, and hear so of the broker; two missed end the connection.
HEARTBEAT_SECONDS = 30
#: A progress queue that nobody reads any more (a killed lander) is removed by the broker.
PROGRESS_QUEUE_EXPIRES_SECONDS = 3600
#: More wake-ups than workers tell nobody anything: the broker drops the oldest.
WAKE_UPS_KEPT = 256


class Mailbox:
    """Reads one queue; messages are acknowledged as they are taken.

    Of a queue with several readers each takes `prefetch` messages at a time.
    """

    def __init__(self, connection: kombu.Connection, queue: kombu.Queue, *, prefetch: int) -> None:
        self._connection = connection
        self._received: deque[Any] = deque()
        self._consumer = kombu.Consumer(
            connection, [queue], callbacks=[self._take], accept=["json"], prefetch_count=prefetch
        )
        self._consumer.consume()

    def _take(self, body: Any, message: Any) -> None:
        message.ack()
        self._received.append(body)

    def read(self, timeout: float) -> Any | None:
        """The next message; None if none comes within `timeout` seconds. To be asked every few seconds."""
        if not self._received:
            with _broker_errors(self._connection):
                with contextlib.suppress(TimeoutError):
                    self._connection.drain_events(timeout=timeout)
                self._connection.heartbeat_check()
        return self._received.popleft() if self._received else None

    def delete(self) -> None:
        """Remove the queue, if the broker can still be told so."""
        with contextlib.suppress(Exception):
            self._consumer.cancel()
            self._consumer.queues[0].delete()


class Broker:
    """A message broker by URL: `memory://` or `amqp://…`. Safe to share between threads."""

    def __init__(self, url: str) -> None:
        self._url = url
        # Nobody reads from these connections between two messages, so they have no heartbeat: whether the
        # broker is there is told by its confirmation of each message.
        self._connection = self._connect(transport_options={"confirm_publish": True})

    def _connect(self, **options: Any) -> kombu.Connection:
        if self._url.startswith("memory://"):
            return kombu.Connection(transport="ci_utils.work_queue.memory:Transport")
        return kombu.Connection(self._url, connect_timeout=CONNECT_SECONDS, **options)

    def wake(self, queue: str) -> None:
        """Tell the workers of a queue that a row waits."""
        self._publish({"wake": queue}, WAKE, queue, declare=[_wake_queue(queue)])

    def publish_progress(self, trigger: str, message: Mapping[str, Any]) -> None:
        """Send a progress message; nobody listening is no error."""
        # Whoever asks can ask again, so the broker need not write it to its disk.
        self._publish(dict(message), PROGRESS, trigger, declare=[PROGRESS], delivery_mode="transient")

    @contextlib.contextmanager
    def wake_ups(self, queue: str) -> Iterator[Mailbox]:
        """The wake-up messages of a queue, shared by its workers."""
        with self._mailbox(_wake_queue(queue), prefetch=1) as mailbox:
            yield mailbox

    @contextlib.contextmanager
    def progress(self, trigger: str) -> Iterator[Mailbox]:
        """The progress queue of a request; exists only inside the context."""
        queue = kombu.Queue(
            trigger, PROGRESS, routing_key=trigger, durable=True, expires=PROGRESS_QUEUE_EXPIRES_SECONDS
        )
        with self._mailbox(queue, prefetch=100) as mailbox:
            try:
                yield mailbox
            finally:
                mailbox.delete()

    def check(self) -> None:
        """Raise `Unavailable` if the broker does not answer, `ConfigurationError` if it lets nobody in."""
        with self._connect() as connection, _broker_errors(connection):
            try:
                connection.connect()
            except connection.channel_errors:
                raise ConfigurationError("UCI_BROKER: the message broker refuses this user") from None
            except connection.recoverable_connection_errors:
                raise
            except connection.connection_errors:
                raise ConfigurationError(
                    "UCI_BROKER: the message broker refuses this virtual host or user"
                ) from None

    def close(self) -> None:
        """Give the connections back that messages were sent with."""
        producers[self._connection].force_close_all()
        self._connection.release()

    @contextlib.contextmanager
    def _mailbox(self, queue: kombu.Queue, *, prefetch: int) -> Iterator[Mailbox]:
        with self._connect(heartbeat=HEARTBEAT_SECONDS) as connection:
            with _broker_errors(connection):
                connection.connect()  # at once or not at all: who listens comes back by itself
                mailbox = Mailbox(connection, queue, prefetch=prefetch)
            yield mailbox

    def _publish(
        self,
        body: Any,
        exchange: kombu.Exchange,
        key: str,
        *,
        declare: list[Any],
        delivery_mode: str = "persistent",
    ) -> None:
        with _broker_errors(self._connection), producers[self._connection].acquire(block=True) as producer:
            producer.publish(
                body,
                exchange=exchange,
                routing_key=key,
                declare=declare,
                delivery_mode=delivery_mode,
                serializer="json",
                retry=True,
                retry_policy=RETRY_POLICY,
                confirm_timeout=CONFIRM_SECONDS,
            )


@contextlib.contextmanager
def _broker_errors(connection: kombu.Connection) -> Iterator[None]:
    """Turn what a broken connection raises into our own error, without the URL's password."""
    try:
        yield
    except (
        *connection.connection_errors,
        *connection.channel_errors,
        kombu.exceptions.OperationalError,
    ) as error:
        raise Unavailable("the message broker does not answer (UCI_BROKER)") from error


def _wake_queue(queue: str) -> kombu.Queue:
    return kombu.Queue(f"uci.{queue}", WAKE, routing_key=queue, durable=True, max_length=WAKE_UPS_KEPT)
