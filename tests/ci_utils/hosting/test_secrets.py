"""What processes that run apart must be given, as they cannot make it up for themselves."""

from __future__ import annotations

import pytest

from ci_utils.config import Config
from ci_utils.errors import ConfigurationError
from ci_utils.hosting.secrets import require_shared

SHARED = {
    "UCI_SECRET_KEY": "key",
    "UCI_SERVICE_TOKEN": "token",
    "UCI_PUBLIC_URL": "http://ci.example.com",
    "UCI_LANDER_URL": "http://lander.example.com",
    "UCI_BROKER": "amqp://uci:password@rabbitmq.example.com//",
}


def config(**changes: str) -> Config:
    return Config.from_environment(SHARED | changes)


def test_with_all_of_it_nothing_is_missing():
    require_shared(config())


@pytest.mark.parametrize("name", [name for name in SHARED if name != "UCI_BROKER"])
def test_what_all_must_agree_on_must_be_set(name: str):
    with pytest.raises(ConfigurationError, match=f"{name} must be set, and be the same"):
        require_shared(config(**{name: ""}))


def test_a_broker_in_memory_reaches_no_other_process():
    with pytest.raises(ConfigurationError, match="UCI_BROKER: memory:// does not reach other processes"):
        require_shared(config(UCI_BROKER=""))
