"""OpenStack's servers, one set for the whole run: its users keep the tests apart.

A test pays for those that it asks for, and for what they need.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.harness.fixtures import go_without
from tests.harness.openstack import glance as glance_server
from tests.harness.openstack import keystone as keystone_server
from tests.harness.openstack import nova as nova_server
from tests.harness.openstack import swift as swift_server
from tests.harness.servers import ServerMissing, postgresql, rabbitmq


@pytest.fixture(scope="session")
def swift() -> Iterator[swift_server.Swift]:
    """A Swift that this run started, whose users log in by v1 authentication."""
    try:
        with swift_server.swift() as server:
            yield server
    except ServerMissing as missing:
        go_without("swift", missing)


@pytest.fixture(scope="session")
def keystone() -> Iterator[keystone_server.Keystone]:
    """A Keystone that this run started, with a PostgreSQL for itself and the other servers."""
    try:
        with postgresql() as database, keystone_server.keystone(database) as server:
            yield server
    except ServerMissing as missing:
        go_without("keystone", missing)


@pytest.fixture(scope="session")
def swift_of_keystone(keystone: keystone_server.Keystone) -> Iterator[swift_server.Swift]:
    """A Swift that this run started, whose users are Keystone's."""
    try:
        with swift_server.swift(keystone.middleware_settings("swift")) as server:
            keystone.register("object-store", "swift", f"{server.url}/v1/AUTH_%(tenant_id)s")
            yield server
    except ServerMissing as missing:
        go_without("swift", missing)


@pytest.fixture(scope="session")
def glance(keystone: keystone_server.Keystone) -> Iterator[glance_server.Glance]:
    """A Glance that this run started."""
    try:
        with glance_server.glance(keystone) as server:
            yield server
    except ServerMissing as missing:
        go_without("glance", missing)


@pytest.fixture(scope="session")
def nova(glance: glance_server.Glance) -> Iterator[nova_server.Nova]:
    """A Nova that this run started; its machines are emulated on this host."""
    try:
        with rabbitmq() as broker, nova_server.nova(glance, broker) as server:
            yield server
    except ServerMissing as missing:
        go_without("nova", missing)
