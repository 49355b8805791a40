from __future__ import annotations

import pytest
from kombu.transport import memory

from ci_utils.errors import Unavailable
from ci_utils.work_queue.broker import Broker
from tests.ci_utils.work_queue.contract import BrokerContract
from tests.ci_utils.work_queue.contract import name as name
from tests.harness.processes import free_port


class TestMemory(BrokerContract):
    @pytest.fixture
    def broker(self, memory_broker: Broker) -> Broker:
        return memory_broker


@pytest.mark.server
class TestRabbitMQ(BrokerContract):
    @pytest.fixture
    def broker(self, rabbitmq_broker: Broker) -> Broker:
        return rabbitmq_broker


def test_a_broker_that_is_away_is_named_without_its_password() -> None:
    broker = Broker(f"amqp://guest:hidden-password@127.0.0.1:{free_port()}//")
    for call in (broker.check, lambda: broker.wake("lander")):
        with pytest.raises(Unavailable, match="UCI_BROKER") as caught:
            call()
        assert "hidden-password" not in str(caught.value)
        assert caught.value.retryable


def test_a_deleted_progress_queue_leaves_nothing_in_memory(memory_broker: Broker) -> None:
    with memory_broker.progress("lander-7-build"):
        memory_broker.publish_progress("lander-7-build", {"state": "STATUS"})
    memory_broker.publish_progress("lander-7-build", {"state": "STATUS", "message": "late"})

    assert "lander-7-build" not in memory.Channel.queues
    tables = [exchange["table"] for exchange in memory.Transport.global_state.exchanges.values()]
    assert not any("lander-7-build" in row for table in tables for row in table)
