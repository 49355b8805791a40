"""The data store in Swift whose users are Keystone's (v3)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest
import requests

from ci_utils.data_store.swift import SwiftDataStores
from ci_utils.errors import ConfigurationError
from tests.ci_utils.data_store.conftest import MakeStores
from tests.ci_utils.data_store.test_swift import TestSwiftDataStore as OnSwift
from tests.harness.openstack.keystone import Keystone
from tests.harness.openstack.swift import Swift

pytestmark = [pytest.mark.server, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def user(keystone: Keystone, swift_of_keystone: Swift) -> Mapping[str, str]:
    return keystone.new_user()


@pytest.fixture
def stores(make_stores: MakeStores) -> Iterator[SwiftDataStores]:
    """Data stores in an account that is empty again afterwards: to make one takes Keystone a while."""
    made = make_stores()
    yield made
    connection = made._account._connection()
    for container in connection.get_account()[1]:
        for file in connection.get_container(container["name"])[1]:
            connection.delete_object(container["name"], file["name"])
        connection.delete_container(container["name"])


class TestSwiftOfKeystone(OnSwift):
    """The same contract, with tokens of Keystone."""


def test_sound_settings_pass(stores):
    stores.check()


def test_a_token_that_keystone_forgot_is_replaced(keystone, stores):
    store = stores.open("ticket.1", "sources")
    store.put_file("a", b"1" * 3_000_000)
    with store.open_file("a") as stream:
        keystone.forget_tokens()
        assert store.file_size("a") == 3_000_000
        store.put_file("b", b"2")
        assert len(stream.read()) == 3_000_000
    assert requests.get(store.download_url("b"), timeout=60).content == b"2"


def test_a_project_may_have_its_older_name(make_stores, user):
    make_stores(OS_PROJECT_NAME="", OS_TENANT_NAME=user["OS_PROJECT_NAME"]).check()


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"OS_PASSWORD": "wrong"}, "OS_USERNAME and OS_PASSWORD"),
        ({"OS_PROJECT_NAME": "nothing"}, "OS_PROJECT_NAME"),
        ({"OS_REGION_NAME": "nowhere"}, "OS_REGION_NAME: Keystone knows no Swift in the region nowhere"),
    ],
)
def test_a_wrong_setting_is_named(make_stores, wrong, named):
    with pytest.raises(ConfigurationError, match=named) as caught:
        make_stores(**wrong).check()
    assert wrong.get("OS_PASSWORD", "-") not in str(caught.value).replace("OS_PASSWORD", "")


def test_a_user_without_a_role_in_the_project_may_not_keep_files(make_stores, keystone, user):
    other = keystone.new_user()
    with pytest.raises(ConfigurationError, match="OS_USERNAME and OS_PASSWORD"):
        make_stores(OS_PROJECT_NAME=other["OS_PROJECT_NAME"]).check()
