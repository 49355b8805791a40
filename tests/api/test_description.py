"""The OpenAPI description and the code say the same."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from openapi_spec_validator import OpenAPIV31SpecValidator

METHODS = {"get", "post", "put", "patch", "delete", "trace"}
FILLED = {
    "pk": "1",
    "container": "ticket.1",
    "filename": "x",
    "image_id": "x",
    "owner": "local",
    "name": "archive",
}


@pytest.fixture
def description(nobody) -> dict[str, Any]:
    described: dict[str, Any] = nobody.get("openapi.json").json()
    return described


def operations(description: dict[str, Any]) -> Iterator[tuple[str, set[str]]]:
    """(an address, its methods) for each path that is described."""
    for path, item in description["paths"].items():
        yield path.format(**FILLED), METHODS & set(item)


def patterns(resolver: URLResolver, prefix: str = "") -> Iterator[tuple[str, str]]:
    """All routes that Django knows but those of pages: (regular expression or template, view's name)."""
    for entry in resolver.url_patterns:
        if getattr(entry, "namespace", None) == "web_ui":
            continue
        found = prefix + str(entry.pattern).removeprefix("^")
        if isinstance(entry, URLPattern):
            yield found, entry.name or ""
        else:
            yield from patterns(entry, found)


def address(pattern: str) -> str:
    """An address that a route answers."""
    named = {**FILLED, "api_name": "v1"}
    text = re.sub(r"\(\?P<(api_name|resource_name)>([^()]*)\)", r"\2", pattern)
    text = re.sub(r"\(\?P<(\w+)>(?:[^()]|\([^()]*\))*\)", lambda m: named[m[1]], text)
    text = re.sub(r"<(?:\w+:)?(\w+)>", lambda m: named[m[1]], text)
    return "/" + text.removesuffix("$").replace("/?", "/").replace("\\Z", "")


def test_it_is_valid_openapi(description):
    assert description["openapi"].startswith("3.1")
    assert [str(error) for error in OpenAPIV31SpecValidator(description).iter_errors()] == []


def test_every_operation_has_a_name_of_its_own(description):
    names = [
        op["operationId"] for item in description["paths"].values() for m, op in item.items() if m in METHODS
    ]
    assert len(names) == len(set(names))


@pytest.mark.django_db
def test_it_describes_every_route_and_method_that_is_answered_and_no_other(description):
    described = dict(operations(description))
    client = Client(SERVER_NAME="localhost")
    wrong = []
    for route in {address(pattern) for pattern, _ in patterns(get_resolver())}:
        for method in METHODS:
            answer = client.generic(method.upper(), route, b"")
            answered = answer.status_code != 405
            if answered != (method in described.get(route, ())):
                wrong.append(f"{method} {route}: {answer.status_code}")
    assert wrong == []
    assert set(described) - {address(pattern) for pattern, _ in patterns(get_resolver())} == set()


def test_what_an_operation_takes_is_what_requests_are_checked_against(description):
    from ci_utils.hosting.rest import api

    schemas = description["components"]["schemas"]
    for name, resource in api.resources.items():
        if taken := getattr(resource._meta, "create_schema", None):
            assert schemas[f"{name}_create"].get("required") == taken.get("required")
            assert set(schemas[f"{name}_create"].get("properties", ())) == set(taken.get("properties", ()))


def test_its_patterns_are_those_of_json_schema(description):
    assert r"\Z" not in str(description)


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_the_description_and_the_index_are_only_read(nobody, method):
    for path in ("openapi.json", ""):
        answer = nobody.raw(method.upper(), path, b"{}")
        assert answer.status_code == 405
        assert answer["Allow"] == "GET, HEAD"
        assert "error" in answer.json()


@pytest.mark.parametrize("accept", ["application/xml", "text/javascript", "text/html", "x/y"])
def test_the_index_speaks_json_only(nobody, accept):
    answer = nobody._client.get("/api/v1/", {"callback": "alert"}, headers={"accept": accept})
    assert answer["Content-Type"] == "application/json"
    assert answer.json()["ticket"]["list_endpoint"] == "/api/v1/ticket/"


class TestFilters:
    """Found by schemathesis: `true` and `none` in a filter were taken for values of Python."""

    pytestmark = pytest.mark.django_db

    @pytest.fixture(autouse=True)
    def tickets(self):
        from ticket_system.models import Ticket

        for title in ("true", "none", "other"):
            Ticket.objects.create(owner="a@b", title=title, private=False)

    @pytest.mark.parametrize("title", ["true", "none"])
    def test_a_word_is_a_word(self, nobody, operator, title):
        assert [t["title"] for t in nobody.get("ticket/", title=title).json()["objects"]] == [title]
        packages = [{"name": title}, {"name": "other"}]
        for package in packages:
            operator.post("sourcepackage/", package)
        found = operator.get("sourcepackage/", name__in=f"{title},x").json()["objects"]
        assert [package["name"] for package in found] == [title]

    @pytest.mark.parametrize("path", ["ticket/?id=true", "subticket/?ticket=true", "ticket/?private=7"])
    def test_what_is_no_value_of_a_field_is_refused(self, nobody, path):
        answer = nobody.get(path)
        assert answer.status_code == 400
        assert "error" in answer.json()

    def test_truth_is_truth(self, nobody):
        assert nobody.get("ticket/", private="false").json()["meta"]["total_count"] == 3
        assert nobody.get("ticket/", ended_at__isnull="true").json()["meta"]["total_count"] == 3
