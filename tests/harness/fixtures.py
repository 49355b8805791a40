"""A PostgreSQL and a RabbitMQ for each folder whose conftest.py imports them.

Folders do not share one: the databases and queues of services have the same names in each.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import NoReturn

import pytest

from tests.harness import servers

#: Names of servers that must be there, separated by commas: CI fails where others skip.
REQUIRED = "UBUNTU_CI_TEST_SERVERS"


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """URL of a database in a PostgreSQL that this run started."""
    try:
        with servers.postgresql() as url:
            yield url
    except servers.ServerMissing as missing:
        go_without("postgresql", missing)


@pytest.fixture(scope="session")
def rabbitmq() -> Iterator[str]:
    """URL of a RabbitMQ that this run started."""
    try:
        with servers.rabbitmq() as url:
            yield url
    except servers.ServerMissing as missing:
        go_without("rabbitmq", missing)


def go_without(server: str, missing: servers.ServerMissing) -> NoReturn:
    """Skip what needs the server, with what is missing; fail where `REQUIRED` names it."""
    if server in os.environ.get(REQUIRED, "").split(","):
        pytest.fail(f"{missing} ({REQUIRED} names {server})")
    pytest.skip(str(missing))
