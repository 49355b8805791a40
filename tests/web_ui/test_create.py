"""A ticket made with the form: its files go through the engine to where the ticket system wants them."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from ci_utils.hosting import ports
from tests.ci_utils.source_package.uploads import SigningKey, Upload, throw_away_key
from tests.ticket_system.archives import KnownArchives
from ticket_system.domain.uploaders import add_uploader
from ticket_system.models import Ticket

pytestmark = pytest.mark.django_db

FORM = {"title": "Greet the world", "owner": "alice@example.com", "add_packages": "hello, hello"}


@pytest.fixture(scope="module")
def key() -> Iterator[SigningKey]:
    with throw_away_key("Alice <alice@example.com>") as made:
        yield made


@pytest.fixture(autouse=True)
def _trusted(db: None, key: SigningKey, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "archives", KnownArchives)
    add_uploader(key.public())


def files(key: SigningKey, upload: Upload) -> list[SimpleUploadedFile]:
    contents = {**upload.contents(), upload.changes_name: key.clearsign(upload.changes())}
    return [SimpleUploadedFile(name, content) for name, content in contents.items()]


def key_of(client: Client) -> str:
    """What makes a form that is sent twice one ticket."""
    found = re.search(r'name="key" value="([^"]+)"', client.get("/new").content.decode())
    assert found
    return found[1]


def test_a_form_with_a_signed_upload_becomes_a_queued_ticket(alice, key):
    upload = Upload()
    form = FORM | {"key": key_of(alice), "private": "1", "files": files(key, upload)}
    answer = alice.post("/new", form)
    ticket = Ticket.objects.get()
    assert answer["Location"] == f"/ticket/{ticket.pk}"
    assert (ticket.current_workflow_step, ticket.submitter, ticket.private) == ("100", "alice", True)
    assert ticket.add_packages == ["hello"]
    store = ports.data_stores().open(f"ticket.{ticket.pk}", "sources")
    stored = {name: store.get_file(name) for name in upload.contents()}
    assert stored == upload.contents()


def test_a_form_that_is_sent_twice_is_one_ticket(alice, key):
    sent = FORM | {"key": key_of(alice)}
    chosen = files(key, Upload())
    first = alice.post("/new", sent | {"files": chosen})
    for file in chosen:
        file.seek(0)
    second = alice.post("/new", sent | {"files": chosen})
    assert first["Location"] == second["Location"]
    assert Ticket.objects.count() == 1


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"files": []}, "choose the _source.changes"),
        ({"files": [SimpleUploadedFile("x_1_source.changes", b"\xff")]}, "is no text in UTF-8"),
        ({"files": [SimpleUploadedFile("x_1_source.changes", b"nothing")]}, "x_1_source.changes"),
        ({"title": " "}, "title"),
        ({"owner": "nobody"}, "owner"),
        ({"add_packages": "<b>"}, "add_packages"),
    ],
)
def test_what_is_wrong_is_said_and_what_was_written_stays(alice, key, changed, said):
    form = FORM | {"key": key_of(alice), "description": "In every language", "files": files(key, Upload())}
    answer = alice.post("/new", form | changed)
    page = answer.content.decode()
    assert answer.status_code == 400
    assert said in page[page.index('role="alert"') :]
    assert "In every language" in page
    assert Ticket.objects.count() == 0


def test_a_ticket_whose_files_are_not_as_signed_is_cancelled(alice, key):
    sent = files(key, Upload())
    sent[1] = SimpleUploadedFile(str(sent[1].name), b"something else")
    answer = alice.post("/new", FORM | {"key": key_of(alice), "files": sent})
    assert answer.status_code == 400
    assert Ticket.objects.get().status == "998"


def test_who_is_not_logged_in_is_sent_to_log_in(visitor, key):
    answer = visitor.post("/new", FORM | {"files": files(key, Upload())})
    assert answer["Location"] == "/login?next=/new"
    assert Ticket.objects.count() == 0


def test_another_site_cannot_send_the_form(alice, key):
    strict = Client(SERVER_NAME="localhost", enforce_csrf_checks=True)
    strict.cookies = alice.cookies
    assert strict.post("/new", FORM | {"files": files(key, Upload())}).status_code == 403
    assert Ticket.objects.count() == 0
