"""A URL in a request points at this engine or at nothing: no service can be sent elsewhere.

Every operation whose schema takes URLs is found in the OpenAPI description.
"""

from __future__ import annotations

import socket
from typing import Any

import pytest

from ci_utils.hosting import ports
from tests.conftest import ApiClient

pytestmark = pytest.mark.django_db

TRIGGER = "ticket-1"
PPA = "ppa:local/ci_pool-001"
#: A request of each operation that takes URLs; `{own}` is a file of the data store.
REQUESTS: dict[str, dict[str, Any]] = {
    "build_source": {
        "ticket_id": 1,
        "source_packages": ["{own}"],
        "series": "bookworm",
        "ppa": PPA,
        "progress_trigger": TRIGGER,
    },
    "build_image": {
        "ticket_id": 1,
        "base_image": {"image_type": "cloud", "url_list": [], "series": "bookworm"},
        "ppa_list": [PPA],
        "package_list": [],
        "progress_trigger": TRIGGER,
    },
    "test_image": {"ticket_id": 1, "image_id": "x", "package_list": [], "progress_trigger": TRIGGER},
    "execute_request": {
        "ticket": "1",
        "source_packages": ["{own}"],
        "series": "bookworm",
        "progress_trigger": TRIGGER,
    },
}
#: (operation, what is changed in its request) for each place of a URL that a service fetches or hands on.
PLACES = [
    ("build_source", lambda url: {"source_packages": [url]}),
    ("build_source", lambda url: {"source_packages": ["{own}", url]}),
    ("build_source", lambda url: {"cancel_url": url}),
    ("build_image", lambda url: {"cancel_url": url}),
    (
        "build_image",
        lambda url: {"base_image": {"image_type": "cloud", "url_list": [url], "series": "bookworm"}},
    ),
    ("test_image", lambda url: {"cancel_url": url}),
    ("execute_request", lambda url: {"cancel_url": url}),
    ("execute_request", lambda url: {"source_packages": ["{own}", url]}),
    ("execute_request", lambda url: {"base_image": url}),
    (
        "execute_request",
        lambda url: {"subtickets": [{"id": 1, "source": "hello", "version": "1", "artifacts": [url]}]},
    ),
]
#: URLs that are only kept and shown to people: no service ever asks for them.
SHOWN = {"ticketartifact", "ticketartifacts", "subticketartifact", "subtickets"}


@pytest.fixture
def elsewhere():
    """A server to which nobody should come."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield f"127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(BlockingIOError):
            server.accept()


@pytest.fixture
def own():
    store = ports.data_stores().open("ticket.1", "no-fetching", public=True)
    yield store.put_file("hello_1.0-1_source.changes", b"Source: hello\n")
    store.delete(recursive=True)


def filled(value: Any, own: str) -> Any:
    if isinstance(value, dict):
        return {name: filled(part, own) for name, part in value.items()}
    if isinstance(value, list):
        return [filled(part, own) for part in value]
    return own if value == "{own}" else value


@pytest.mark.parametrize("number", range(len(PLACES)))
@pytest.mark.parametrize(
    "form",
    [
        "http://{server}/x_source.changes",
        "https://{server}/data/ticket.1.no-fetching/x_source.changes",
        "http://localhost@{server}/data/ticket.1.no-fetching/x_source.changes",
        "http://localhost.{server}/data/ticket.1.no-fetching/x_source.changes",
        "http://localhost/data/../{server}/x_source.changes",
        "http://169.254.169.254/latest/meta-data/",
        "file:///etc/passwd",
        "ftp://{server}/x",
        "//{server}/x",
    ],
)
def test_an_address_elsewhere_is_refused_and_never_asked(service: ApiClient, elsewhere, own, number, form):
    operation, change = PLACES[number]
    body = filled(REQUESTS[operation] | change(form.format(server=elsewhere)), own)
    answer = service.post(f"{operation}/", body)
    assert answer.status_code == 400, answer.content
    assert answer.json()["error"]


def test_the_same_requests_are_taken_with_addresses_of_this_engine(service: ApiClient, own):
    for operation, body in REQUESTS.items():
        answer = service.post(f"{operation}/", filled(body, own))
        assert answer.status_code == 202, answer.content


def test_no_operation_that_takes_urls_is_forgotten(nobody: ApiClient):
    schemas = nobody.get("openapi.json").json()["components"]["schemas"]
    taking = {
        name.rpartition("_")[0]
        for name, schema in schemas.items()
        if name.endswith(("_create", "_change")) and "https?://" in str(schema).replace("(https?://[^/", "")
    }
    assert taking - SHOWN == set(REQUESTS)
