"""All services apart, on PostgreSQL, RabbitMQ, Keystone, Swift, Glance and, where it can be had, Nova.

Archives are in one directory.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from secrets import token_urlsafe

import pytest

from tests.cache import TEST_CACHE
from tests.end_to_end.shared_parts import lend, prepared
from tests.harness.fixtures import postgresql as postgresql
from tests.harness.fixtures import rabbitmq as rabbitmq
from tests.harness.openstack.glance import Glance
from tests.harness.openstack.keystone import Keystone
from tests.harness.openstack.nova import Nova
from tests.harness.openstack.swift import Swift
from tests.harness.services import Stack, services_apart


@pytest.fixture(scope="session")
def cloud(request: pytest.FixtureRequest, keystone: Keystone) -> dict[str, str]:
    """The settings of a user, and of who boots machines: Nova, or this host where there is no Nova."""
    try:
        nova: Nova = request.getfixturevalue("nova")
    except pytest.skip.Exception:
        return keystone.new_user()
    return {"UCI_COMPUTE": "nova", **nova.new_user()}


@pytest.fixture(scope="session")
def stack(
    postgresql: str, rabbitmq: str, cloud: dict[str, str], swift_of_keystone: Swift, glance: Glance
) -> Iterator[Stack]:
    """The services, running; each has a database of its own, files are in Swift and images in Glance."""
    # Below /var/tmp: images are large, and sandboxes need to reach the path.
    directory = Path(tempfile.mkdtemp(prefix="uci-apart-", dir="/var/tmp"))
    directory.chmod(0o755)
    lend(prepared(TEST_CACHE / "engine"), directory / "data")
    settings = {
        "UCI_TEST_TIMEOUT": "1500",
        "UCI_WEB_PROCESSES": "2",
        "UCI_DATA_STORE": "swift",
        "CI_TEMPURL_SIGNING_KEY": token_urlsafe(24),
        "UCI_IMAGE_STORE": "glance",
        **cloud,
    }
    try:
        with services_apart(Stack(directory, postgresql, rabbitmq, settings)) as stack:
            yield stack
    finally:
        shutil.rmtree(directory, ignore_errors=True)
