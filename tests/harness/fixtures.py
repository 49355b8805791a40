"""Session fixtures of the real servers. A conftest.py imports those that its folder needs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.harness import servers


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """URL of a database in a PostgreSQL that this run started."""
    try:
        with servers.postgresql() as url:
            yield url
    except servers.ServerMissing as missing:
        pytest.skip(f"{missing} is not installed; bin/setup --test installs it")


@pytest.fixture(scope="session")
def rabbitmq() -> Iterator[str]:
    """URL of a RabbitMQ that this run started."""
    try:
        with servers.rabbitmq() as url:
            yield url
    except servers.ServerMissing as missing:
        pytest.skip(f"{missing} is not installed; bin/setup --test installs it")
