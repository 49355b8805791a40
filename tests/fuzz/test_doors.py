"""What people and strangers send over HTTP beside the API: uploads by dput, the form, addresses of pages.

The API itself is asked by schemathesis (`tests/api`).
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.parse import quote, urlsplit

import pytest
from django.contrib.auth import get_user_model
from django.db import transaction
from django.test import Client
from hypothesis import strategies as st

from ci_utils.data_store.local import LocalDataStores
from ci_utils.hosting import ports
from ci_utils.source_package.names import valid_file_name
from tests.ci_utils.source_package.uploads import Upload
from tests.fuzz.inputs import file_names, fuzz, spoiled, values
from tests.fuzz.test_uploads import CHANGES_FIELDS, DSC_FIELDS, changes_texts, uploader_key, uploads
from tests.ticket_system.archives import KnownArchives
from tests.web_ui.exhibits import make_ticket, run
from ticket_system.domain.incoming import incoming_store
from ticket_system.domain.uploaders import add_uploader
from ticket_system.models import IncomingFile, Ticket

#: Answers that are no failure of the engine's: what it refuses, and no space left in the upload queue.
REFUSALS = {400, 401, 403, 404, 405, 409, 413, 429, 503}
EDGE = "edge-of-a-part"
SCRIPT = "<script>alert(1)</script>"

pytestmark = [pytest.mark.django_db, pytest.mark.slow]

hostile = st.sampled_from([SCRIPT, f'"{SCRIPT}', "{{ 7 }}", "javascript:alert(1)", "//evil.example"]) | values


@contextmanager
def _engine() -> Iterator[tuple[Client, LocalDataStores]]:
    """An engine that trusts one key and forgets everything afterwards, and somebody who is logged in."""
    with tempfile.TemporaryDirectory() as directory, transaction.atomic():
        stores = LocalDataStores(Path(directory) / "store", "http://localhost", b"key")
        client = Client(SERVER_NAME="localhost", raise_request_exception=False)
        user, _ = get_user_model().objects.get_or_create(username="alice")
        client.force_login(user)
        add_uploader(uploader_key().public())
        with (
            patch.object(ports, "data_stores", lambda: stores),
            patch.object(ports, "archives", KnownArchives),
        ):
            yield client, stores
        transaction.set_rollback(True)


def _sound(answer: Any) -> None:
    """Nothing broke, nothing that was sent runs in a browser, and nobody is sent elsewhere."""
    assert answer.status_code < 400 or answer.status_code in REFUSALS, answer.content[:300]
    assert SCRIPT.encode() not in answer.content or not answer["Content-Type"].startswith("text/html")
    assert not urlsplit(answer.get("Location", "")).netloc


def _put(client: Client, name: str, content: bytes, length: str = "") -> Any:
    return client.put(
        f"/upload/{quote(name, safe='', errors='replace')}",
        content,
        content_type="application/octet-stream",
        headers={"content-length": length or str(len(content))},
    )


_bodies = st.binary(max_size=60) | changes_texts
_lengths = st.sampled_from(["", "", "", "0", "-1", "x", "\u0661", "9" * 16, "1e3"])


@fuzz(file_names | st.just("hello_2.10-4_source.changes"), _bodies, _lengths, share=0.5)
def test_a_file_that_anybody_sends_is_kept_whole_or_refused(name, content, length):
    with _engine() as (client, stores):
        answer = _put(client, name, content, length)
        _sound(answer)
        kept = list(IncomingFile.objects.all())
        assert incoming_store(stores).list_files() == [file.place for file in kept]
        assert len(kept) == (answer.status_code == 201)
        assert all(valid_file_name(file.name) and not file.signer for file in kept)
        assert not Ticket.objects.exists()


@fuzz(uploads(CHANGES_FIELDS, "fields") | uploads(DSC_FIELDS, "dsc_fields"), share=0.2)
def test_an_upload_of_a_trusted_key_is_a_ticket_of_its_own_files_or_refused(upload):
    with _engine() as (client, stores):
        for name, content in [*upload.contents().items(), (upload.changes_name, _signed(upload))]:
            _sound(_put(client, name, content))
        for ticket in Ticket.objects.all():
            files = set(stores.open(f"ticket.{ticket.pk}", "sources").list_files())
            assert files <= {upload.changes_name, *upload.contents()}
            assert (ticket.owner, ticket.submitter) == ("alice@example.com", "alice@example.com")
        waiting = sorted(file.place for file in IncomingFile.objects.all())
        assert sorted(incoming_store(stores).list_files()) == waiting


def _signed(upload: Upload) -> bytes:
    return uploader_key().clearsign(upload.changes())


FIELDS = ("title", "description", "owner", "bug_id", "add_packages", "remove_packages", "private", "key")
_fields = st.fixed_dictionaries({}, optional=dict.fromkeys(FIELDS, hostile))
_files = st.lists(st.tuples(hostile, spoiled(st.just(b"x")) | changes_texts), max_size=3)


@fuzz(_fields, _files, st.booleans(), share=0.3)
def test_a_form_is_a_ticket_or_comes_back_with_a_sentence(fields, files, signed):
    with _engine() as (client, _):
        form = {"title": "t", "owner": "alice@example.com", "key": "k", **fields}
        sent = [*files, *_upload()] if signed else files
        _sound(
            client.post("/new", _multipart(form, sent), content_type=f"multipart/form-data; boundary={EDGE}")
        )
        for ticket in Ticket.objects.all():
            _sound(client.get(f"/ticket/{ticket.pk}"))
        _sound(client.get("/"))


@cache
def _upload() -> tuple[tuple[str, bytes], ...]:
    upload = Upload()
    return (*upload.contents().items(), (upload.changes_name, _signed(upload)))


def _multipart(fields: Mapping[str, str], files: Iterable[tuple[str, bytes]]) -> bytes:
    """What a browser would send that leaves every name as it is."""
    parts = [(f'name="{name}"', value.encode()) for name, value in fields.items()]
    parts += [(f'name="files"; filename="{name}"', content) for name, content in files]
    return (
        b"".join(
            f"--{EDGE}\r\nContent-Disposition: form-data; {what}\r\n\r\n".encode() + content + b"\r\n"
            for what, content in parts
        )
        + f"--{EDGE}--\r\n".encode()
    )


_paths = st.sampled_from(
    [
        *("/", "/login", "/new", "/engine", "/ticket/{}", "/ticket/{}/now", "/ticket/{}/console/build"),
        *("/ticket/{}/log/0/{}", "/ticket/{}/building/hello", "/ticket/{}/results/{}.xml"),
    ]
)
_ids = st.sampled_from(["1", "0", "-1", "9" * 30, "\u0661"]) | hostile
_queries = st.dictionaries(
    st.sampled_from(
        ["step", "owner", "source", "text", "page", "next", "line", "q", "end", "after", "start"]
    ),
    st.sampled_from(["1", "-1", "9" * 30, "\u0661", "1e3"]) | hostile,
    max_size=3,
)


@fuzz(_paths, _ids, _queries, share=0.3)
def test_any_address_is_a_page(path, number, query):
    with _engine() as (client, _):
        ticket = make_ticket(SCRIPT, owner="alice@example.com")
        run(ticket, failed="build", message=SCRIPT, log=SCRIPT)
        number = str(ticket.pk) if number == "1" else quote(number, safe="", errors="replace")
        _sound(client.get(path.replace("{}", number), query))
