"""What every test stands on: a home of its own and clients of the API."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests import side_by_side
from tests.ci_utils.source_package.uploads import SigningKey, throw_away_key
from tests.harness.openstack.fixtures import glance as glance
from tests.harness.openstack.fixtures import keystone as keystone
from tests.harness.openstack.fixtures import nova as nova
from tests.harness.openstack.fixtures import swift as swift
from tests.harness.openstack.fixtures import swift_of_keystone as swift_of_keystone

#: Kinds of tests that wait for real work, and how long they may where they do not say so themselves.
PATIENT = ("slow", "system", "server")
PATIENT_SECONDS = 900

# Every run tries the same inputs, however long one takes: new ones are for `make fuzz` and `make fuzz-api`.
settings.register_profile(
    "tests", derandomize=True, database=None, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("tests")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Longest folders first, so that processes which run side by side end together; with time limits."""
    items.sort(key=lambda item: side_by_side.place(item.nodeid))
    for item in items:
        if item.get_closest_marker("timeout") is None and any(map(item.get_closest_marker, PATIENT)):
            item.add_marker(pytest.mark.timeout(PATIENT_SECONDS))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> side_by_side.ByFolder:
    """Say which tests go to one process where there are several (`bin/test`, `make test`)."""
    return side_by_side.ByFolder(config, log)


def pytest_unconfigure() -> None:
    """End what the ports of this process started, such as the agent of the archives' key."""
    from ci_utils.hosting import ports

    ports.close()


@pytest.fixture(autouse=True)
def _home_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or writes the configuration of whoever runs it."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@pytest.fixture(autouse=True)
def _no_failed_tries() -> None:
    """No test is slowed down by the wrong tokens of another."""
    from ci_utils.api.authentication import failed_tries

    failed_tries.forget()


@pytest.fixture(scope="session")
def archive_key() -> Iterator[SigningKey]:
    """The key that signs archives of the tests."""
    with throw_away_key("Archive <archive@example.com>") as key:
        yield key


class ApiClient:
    """Talks JSON to the API as one principal; answers are Django responses."""

    def __init__(self, token: str = "") -> None:
        from django.test import Client

        headers = {"authorization": f"Bearer {token}"} if token else {}
        # tastypie re-raises errors for the server name that Django's client has by default.
        self._client = Client(headers=headers, SERVER_NAME="localhost")

    def get(self, path: str, **params: str | int):
        return self._client.get(f"/api/v1/{path}", params)

    def post(self, path: str, data: object, **headers: str):
        return self._client.post(
            f"/api/v1/{path}", data, content_type="application/json", headers=headers or None
        )

    def patch(self, path: str, data: object):
        return self._client.patch(f"/api/v1/{path}", data, content_type="application/json")

    def delete(self, path: str):
        return self._client.delete(f"/api/v1/{path}")

    def raw(self, method: str, path: str, body: bytes, content_type: str = "application/json"):
        return self._client.generic(method, f"/api/v1/{path}", body, content_type=content_type)


@pytest.fixture
def nobody(db: None) -> ApiClient:
    """A client without a token."""
    return ApiClient()


@pytest.fixture
def submitter(db: None) -> ApiClient:
    """A client whose token may submit tickets; its name is `alice`."""
    return ApiClient(_token("alice", "submit"))


@pytest.fixture
def other_submitter(db: None) -> ApiClient:
    """Another submitter; its name is `bob`."""
    return ApiClient(_token("bob", "submit"))


@pytest.fixture
def operator(db: None) -> ApiClient:
    """A client whose token may do what operators do."""
    return ApiClient(_token("operator", "operate"))


@pytest.fixture
def service(db: None) -> ApiClient:
    """A client with the token that services show each other."""
    from django.conf import settings

    return ApiClient(settings.UCI.service_token)


def _token(name: str, scope: str) -> str:
    from ci_utils.api.tokens import Scope, create_token

    return create_token(name, [Scope(scope)])
