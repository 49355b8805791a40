from __future__ import annotations

import pytest

from ci_utils.errors import Unavailable
from ci_utils.work_queue.broker import Broker
from tests.ci_utils.work_queue.contract import BrokerContract
from tests.ci_utils.work_queue.contract import name as name
from tests.harness.servers import free_port


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
