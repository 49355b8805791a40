"""Data stores on the real Swift of the tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from ci_utils.config import OpenStackConfig, SwiftConfig
from ci_utils.data_store.swift import SwiftDataStores
from tests.harness.openstack.swift import Swift

MakeStores = Callable[..., SwiftDataStores]


@pytest.fixture
def user(swift: Swift) -> Mapping[str, str]:
    """Settings of a user whose account is empty."""
    return swift.new_user()


@pytest.fixture
def make_stores(user: Mapping[str, str]) -> MakeStores:
    """Makes data stores in the account of `user`, with settings that are given by name."""

    def make(**settings: str) -> SwiftDataStores:
        environ = {**user, "CI_TEMPURL_SIGNING_KEY": "a-key", **settings}
        return SwiftDataStores(
            SwiftConfig.from_environment(environ), OpenStackConfig.from_environment(environ)
        )

    return make
