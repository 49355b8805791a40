"""A private ticket is invisible to others on every path that the engine serves.

The walk goes over the OpenAPI description, so that no route can be forgotten.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest

from ci_utils.api.tokens import Scope, create_token
from tests.api.conftest import SECRET, Landed
from tests.conftest import ApiClient

pytestmark = pytest.mark.django_db

#: Bodies that fit, for writes that name the private ticket.
WRITES = {
    "subticket": {"ticket": "{ticket}", "source_package_upload": "{upload}"},
    "subticketartifact": {"name": "new.dsc", "subticket": "{subticket}", "type": "SPU"},
}


def body_of(answer: Any) -> str:
    content = b"".join(answer.streaming_content) if answer.streaming else answer.content
    return str(content, "utf-8", "replace")


@pytest.fixture
def walk(private_ticket: Landed, nobody: ApiClient):
    """Every GET that the description has, for the private ticket: (address, answer)."""
    paths = nobody.get("openapi.json").json()["paths"]
    filled = {
        "container": private_ticket.container,
        "image_id": private_ticket.image.id,
        "owner": "local",
        "name": "ci_pool-001",
        "filename": private_ticket.file,
    }

    def asked(client: ApiClient) -> Iterator[tuple[str, Any]]:
        for path, item in paths.items():
            if "get" not in item:
                continue
            names = dict(filled)
            if path.startswith("/archives/"):
                names["filename"] = f"pool/{SECRET}.deb"
            for pk in _numbers(private_ticket, path):
                for query in _queries(private_ticket, item["get"]):
                    address = path.format(**names, pk=pk) + query
                    yield address, client._client.get(address)

    return asked


def _numbers(landed: Landed, path: str) -> list[int]:
    """Numbers of everything that belongs to the ticket, where a path takes one."""
    if "{pk}" not in path:
        return [0]
    return sorted({row.pk for row in landed.rows})


def _queries(landed: Landed, operation: dict[str, Any]) -> Iterator[str]:
    """No filter, and every filter that can ask for the ticket or its parts."""
    yield ""
    values = {"string": SECRET, "integer": str(landed.ticket.pk), "boolean": "true"}
    for parameter in operation.get("parameters", ()):
        name, kind = parameter["name"], parameter["schema"].get("type")
        if parameter["in"] == "query" and name not in ("limit", "offset", "order_by") and kind in values:
            value = "1000" if "step" in name else values[kind]
            yield f"?{name}={value}"


@pytest.fixture
def reader(db: None) -> ApiClient:
    """A client whose token may read; its name is `carol`."""
    return ApiClient(create_token("carol", [Scope.READ]))


@pytest.mark.parametrize("client", ["nobody", "other_submitter", "reader"])
def test_no_path_shows_anything_of_it_to_others(walk, client, request):
    for address, answer in walk(request.getfixturevalue(client)):
        if SECRET in body_of(answer):
            # Only what was asked for, said back in the sentence of a refusal.
            assert SECRET in address, address
            assert answer.status_code in (400, 404), address
        elif SECRET in address and answer.status_code == 200:
            assert answer.json()["meta"]["total_count"] == 0, address


@pytest.mark.parametrize("client", ["nobody", "other_submitter"])
def test_counts_and_numbers_do_not_give_it_away(private_ticket, client, request):
    from ppa_assigner.models import PPA

    PPA.objects.update(ticket_id=private_ticket.ticket.pk)
    client = request.getfixturevalue(client)
    status = client.get("status/").json()["services"]
    assert "jobs" not in status["lander"]
    assert "reserved" not in status["ppa_assigner"]
    assert all("running" not in service for service in status.values())
    assert "running" not in client.get("imagebuilder/status/").json()
    assert [ppa["ticket_id"] for ppa in client.get("ppa/").json()["objects"]] == [None]
    assert client.get("ppa/", ticket_id=private_ticket.ticket.pk).status_code in (401, 403)


@pytest.mark.parametrize("client", ["submitter", "operator", "service"])
def test_those_concerned_see_it(walk, private_ticket, client, request):
    seen = {address for address, answer in walk(request.getfixturevalue(client)) if SECRET in body_of(answer)}
    number = private_ticket.ticket.pk
    assert f"/api/v1/fullticket/{number}/" in seen
    for name in ("ticket", "opentickets", "ticketstatus", "subticket", "ticketartifact", "sourcepackage"):
        assert f"/api/v1/{name}/" in seen
    if client != "submitter":
        assert f"/api/v1/job/{private_ticket.job.pk}/console/" in seen
        assert {address for address in seen if not address.startswith("/api/")} >= {
            f"/data/{private_ticket.container}/{private_ticket.file}",
            f"/images/{private_ticket.image.id}.qcow2",
            f"/archives/local/ci_pool-001/pool/{SECRET}.deb",
        }


def test_the_submitter_gets_signed_urls_and_others_none(private_ticket, submitter, nobody):
    full = submitter.get(f"fullticket/{private_ticket.ticket.pk}/").json()
    for artifact in (*full["artifacts"], *full["subtickets"][0]["artifacts"]):
        signed = artifact["url"].removeprefix("http://localhost")
        assert SECRET in body_of(nobody._client.get(signed))
        assert nobody._client.get(signed.partition("?")[0]).status_code == 404


@pytest.mark.parametrize("client", ["nobody", "other_submitter", "reader"])
def test_others_cannot_write_to_it_nor_learn_that_it_is_there(private_ticket, nobody, client, request):
    paths = nobody.get("openapi.json").json()["paths"]
    client = request.getfixturevalue(client)
    numbers = {
        "{ticket}": private_ticket.ticket.pk,
        "{upload}": private_ticket.upload.pk,
        "{subticket}": private_ticket.subticket.pk,
    }
    before = ApiClient(create_token("ops", [Scope.OPERATE]))
    unchanged = before.get(f"fullticket/{private_ticket.ticket.pk}/").json()["history"]
    for path, item in paths.items():
        if path.startswith("/upload/"):
            continue  # the upload queue knows no ticket before a signature has let the files in
        for method in {"post", "patch", "put"} & set(item):
            name = path.split("/")[3] if path.startswith("/api/") else ""
            body = {key: numbers.get(str(value), value) for key, value in WRITES.get(name, {}).items()}
            for pk in _numbers(private_ticket, path):
                address = path.format(pk=pk, container=private_ticket.container, filename="new")
                answer = client._client.generic(
                    method.upper(), address, _json(body), content_type="application/json"
                )
                assert answer.status_code in (400, 401, 403, 404), f"{method} {address}"
                assert SECRET not in body_of(answer), f"{method} {address}"
    assert before.get(f"fullticket/{private_ticket.ticket.pk}/").json()["history"] == unchanged


def _json(body: object) -> bytes:
    return json.dumps(body).encode()


class TestSignedUrls:
    """What a signed URL opens: one file, by one method, until it expires."""

    @pytest.fixture(params=["LOGS", "IMAGE"])
    def signed(self, request, private_ticket, submitter) -> str:
        full = submitter.get(f"fullticket/{private_ticket.ticket.pk}/").json()
        (url,) = [artifact["url"] for artifact in full["artifacts"] if artifact["type"] == request.param]
        return str(url.removeprefix("http://localhost"))

    def test_it_opens_its_file_to_whoever_has_it(self, signed, nobody):
        assert SECRET in body_of(nobody._client.get(signed))

    def test_it_expires(self, signed, nobody, monkeypatch):
        now = time.time()
        monkeypatch.setattr("ci_utils.data_store.signed_urls.time.time", lambda: now + 3700)
        answer = nobody._client.get(signed)
        assert (answer.status_code, "expired" in answer.json()["error"]) == (403, True)

    def test_its_end_cannot_be_moved(self, signed, nobody):
        later = re.sub(r"expires=(\d+)", lambda match: f"expires={int(match[1]) + 1}", signed)
        assert nobody._client.get(later).status_code == 403

    def test_it_opens_no_other_file(self, signed, nobody, private_ticket):
        query = signed.partition("?")[2]
        private_ticket.store.put_file("other.log", SECRET.encode())
        name = private_ticket.container
        for path in (f"/data/{name}/other.log", f"/data/images/{private_ticket.image.id}.qcow2"):
            assert nobody._client.get(f"{path}?{query}").status_code == 403
        assert nobody._client.get(f"/images/{'0' * 32}.qcow2?{query}").status_code == 403

    def test_it_does_not_write(self, signed, nobody):
        answer = nobody._client.put(signed, b"other", content_type="application/octet-stream")
        assert answer.status_code in (403, 405)
