"""What every resource of every service must do, found by walking the API's own registry."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.conftest import ApiClient

pytestmark = pytest.mark.django_db

WRITES = ["POST", "PUT", "PATCH", "DELETE"]
BAD_BODIES = [
    b"",
    b"{",
    b"\xff\xfe\x00",
    b"null",
    b'"text"',
    b"[" * 50_000,
    b'{"title": NaN}',
    b'{"surprise": 1}',
    b'{"id": "../../etc/passwd", "ticket_id": {"a": []}, "objects": [1, null]}',
    b'{"ticket_id": 99999999999999999999999, "state": [], "progress_trigger": 7}',
    b'{"progress_trigger": "a\\u0000b"}',
]
ODD_PATHS = [
    "0/",
    "999999/",
    "99999999999999999999999/",
    "x/",
    "-1/",
    "..%2f..%2f/",
    "%00/",
    "1;2/",
    "set/1;x/",
]
ODD_QUERIES = [
    {"limit": "x"},
    {"limit": "-1"},
    {"offset": "99999999999999999999999"},
    {"order_by": "nonsense"},
    {"order_by": "ticket__nonsense"},
    {"id": "x"},
    {"title": "a\0b"},
    {"format": "xml"},
    {"nonsense__regex": "("},
]


def resources() -> dict[str, Any]:
    """All resources by name, but those that have an address of their own making instead of a list."""
    from ci_utils.hosting.rest import api

    return {name: r for name, r in api._registry.items() if _has_a_list(r)}


def _has_a_list(resource: Any) -> bool:
    return "api_dispatch_list" in {route.name for route in resource.base_urls()}


@pytest.mark.parametrize("body", BAD_BODIES, ids=lambda body: body[:24])
@pytest.mark.parametrize("method", WRITES)
def test_a_bad_body_is_a_client_error_in_json(
    service: ApiClient, operator: ApiClient, method: str, body: bytes
) -> None:
    for name in resources():
        for tail in ("", "1/", "schema/"):
            for client in (service, operator):
                assert_client_error(client.raw(method, f"{name}/{tail}", body), f"{method} {name}/{tail}")


@pytest.mark.parametrize("tail", ODD_PATHS)
@pytest.mark.parametrize("method", ["GET", *WRITES])
def test_an_unknown_address_is_a_client_error_in_json(operator: ApiClient, method: str, tail: str) -> None:
    for name in resources():
        assert_client_error(operator.raw(method, f"{name}/{tail}", b"{}"), f"{method} {name}/{tail}")


@pytest.mark.parametrize("query", ODD_QUERIES, ids=str)
def test_an_odd_query_is_answered_or_refused_but_never_breaks(
    operator: ApiClient, query: dict[str, str]
) -> None:
    for name in resources():
        answer = operator.get(f"{name}/", **query)
        assert answer.status_code < 500, f"{name} {query}: {answer.content!r}"
        assert json.loads(answer.content) is not None


@pytest.mark.parametrize("method", WRITES)
def test_a_write_without_a_token_is_refused_before_it_is_read(nobody: ApiClient, method: str) -> None:
    for name in resources():
        for tail in ("", "1/"):
            answer = nobody.raw(method, f"{name}/{tail}", b"{")
            assert answer.status_code in (401, 404, 405), f"{method} {name}/{tail}: {answer.content!r}"
            assert "error" in answer.json()


@pytest.mark.parametrize("header", ["Bearer wrong", "Bearer ", "Basic YTpi", "Bearer \xfc", "nonsense"])
def test_a_wrong_token_is_refused_even_for_reading(nobody: ApiClient, header: str) -> None:
    for number, name in enumerate(resources()):
        headers = {"authorization": header}  # from ever another address: one alone would be slowed down
        answer = nobody._client.get(f"/api/v1/{name}/", headers=headers, REMOTE_ADDR=f"192.0.2.{number}")
        assert answer.status_code in (401, 404, 405), f"{name}: {answer.content!r}"
        assert "error" in answer.json()


def test_the_method_cannot_be_changed_by_a_header(operator: ApiClient) -> None:
    for name, resource in resources().items():
        headers = {"x-http-method-override": "PATCH"}
        answer = operator._client.post(
            f"/api/v1/{name}/", b"{}", content_type="application/json", headers=headers
        )
        allowed = "post" in resource._meta.list_allowed_methods
        assert (answer.status_code == 405) != allowed, f"{name}: {answer.status_code}"


def test_every_resource_describes_itself(nobody: ApiClient) -> None:
    for name in resources():
        answer = nobody.get(f"{name}/schema/")
        assert answer.status_code == 200, f"{name}: {answer.content!r}"


def assert_client_error(answer: Any, what: str) -> None:
    assert 400 <= answer.status_code < 500, f"{what}: {answer.status_code} {answer.content!r}"
    assert isinstance(answer.json().get("error"), str), f"{what}: {answer.content!r}"
