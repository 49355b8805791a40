"""Brokers and a clean state of the in-memory one, whose queues are global in the process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from kombu import pools
from kombu.transport import memory

from ci_utils.work_queue.broker import Broker
from tests.harness.fixtures import rabbitmq as rabbitmq


@pytest.fixture
def memory_broker() -> Iterator[Broker]:
    """A broker in memory with nothing in its queues."""
    _forget_queues()
    yield Broker("memory://")
    _forget_queues()


@pytest.fixture(scope="session")
def rabbitmq_broker(rabbitmq: str) -> Iterator[Broker]:
    """A broker on the RabbitMQ that the tests start."""
    broker = Broker(rabbitmq)
    yield broker
    broker._connection.release()
    pools.reset()


def _forget_queues() -> None:
    for queue in memory.Channel.queues.values():
        with queue.mutex:
            queue.queue.clear()
