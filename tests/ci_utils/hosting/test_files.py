"""The local adapters' files over HTTP: who may read and write what."""

from __future__ import annotations

import base64
import hashlib
import io
from urllib.parse import urlsplit

import pytest
from django.test import Client

from ci_utils.hosting import ports
from tests.ci_utils.image_store.contract import make_image

pytestmark = pytest.mark.django_db


@pytest.fixture
def http() -> Client:
    return Client(SERVER_NAME="localhost")


@pytest.fixture
def private_store():
    store = ports.data_stores().open("ticket.1", "private", public=False)
    yield store
    store.delete(recursive=True)


@pytest.fixture
def public_store():
    store = ports.data_stores().open("ticket.1", "public", public=True)
    yield store
    store.delete(recursive=True)


def path_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}"


def body_of(response) -> bytes:
    return b"".join(response.streaming_content)


def test_a_public_file_is_read_by_anybody(http, public_store):
    public_store.put_file("build.log", b"all is well\n")

    response = http.get(path_of(public_store.file_path("build.log")))

    assert (response.status_code, body_of(response)) == (200, b"all is well\n")
    assert response["Content-Type"] == "text/plain; charset=utf-8"
    assert response["X-Content-Type-Options"] == "nosniff"


def test_a_private_file_is_not_there_for_who_has_no_signed_url(http, private_store):
    private_store.put_file("build.log", b"secret")

    assert http.get(path_of(private_store.file_path("build.log"))).status_code == 404
    response = http.get(path_of(private_store.download_url("build.log")))
    assert body_of(response) == b"secret"


def test_the_token_of_a_service_reads_private_files(private_store):
    from django.conf import settings

    private_store.put_file("build.log", b"secret")
    http = Client(SERVER_NAME="localhost", headers={"authorization": f"Bearer {settings.UCI.service_token}"})

    assert body_of(http.get(path_of(private_store.file_path("build.log")))) == b"secret"


def test_part_of_a_file_is_sent_on_request(http, public_store):
    public_store.put_file("image.bin", b"0123456789")

    response = http.get(path_of(public_store.file_path("image.bin")), headers={"range": "bytes=4-"})

    assert (response.status_code, body_of(response)) == (206, b"456789")
    assert response["Content-Range"] == "bytes 4-9/10"


def test_an_image_comes_with_its_checksum_whole_or_in_part(http, tmp_path):
    image = ports.image_store().upload("ticket.1", make_image(tmp_path / "disk.qcow2", b"boot"), public=True)
    path = path_of(ports.image_store().url(image.id))
    whole, part = http.get(path), http.get(path, headers={"range": "bytes=100-"})
    content = body_of(whole)
    digest = base64.b64encode(hashlib.sha256(content).digest()).decode()
    assert whole["Repr-Digest"] == part["Repr-Digest"] == f"sha-256=:{digest}:"
    assert (part.status_code, body_of(part)) == (206, content[100:])


def test_a_part_of_a_file_that_is_another_one_now_is_not_sent(http, public_store):
    public_store.put_file("image.bin", b"0123456789")
    path = path_of(public_store.file_path("image.bin"))
    wanted = {"range": "bytes=4-", "if-range": http.head(path)["ETag"]}
    assert body_of(http.get(path, headers=wanted)) == b"456789"

    public_store.put_file("image.bin", b"abcdefghij")

    response = http.get(path, headers=wanted)
    assert (response.status_code, body_of(response)) == (200, b"abcdefghij")


def test_a_signed_url_takes_one_upload(http, private_store):
    url = path_of(private_store.upload_url("hello.dsc"))

    assert http.put(url, b"first", content_type="application/octet-stream").status_code == 201
    assert http.put(url, b"first", content_type="application/octet-stream").status_code == 201
    assert http.put(url, b"other", content_type="application/octet-stream").status_code == 409
    assert private_store.get_file("hello.dsc") == b"first"


def test_an_upload_without_a_right_signature_is_refused(http, private_store):
    url = path_of(private_store.download_url("hello.dsc"))

    response = http.put(url, b"data", content_type="application/octet-stream")

    assert response.status_code == 403
    assert "signature" in response.json()["error"]
    assert private_store.list_files() == []


def test_html_that_a_build_wrote_is_never_rendered(http, public_store):
    public_store.put_file("results.html", io.BytesIO(b"<script>alert(1)</script>"))

    response = http.get(path_of(public_store.file_path("results.html")))

    assert response["Content-Type"] == "application/octet-stream"
    assert response["Content-Disposition"].startswith("attachment")
    assert "sandbox" in response["Content-Security-Policy"]
    response.close()


@pytest.fixture
def packages():
    """A file in an archive of the pool and in the destination."""
    files = [
        ports.config().data_dir / "archives/local" / name / "dists/x/Release"
        for name in ("ci_pool-001", "archive")
    ]
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("Origin: here\n")
    yield
    for file in files:
        file.unlink()


@pytest.mark.usefixtures("packages")
def test_what_a_ticket_builds_is_seen_by_anybody_only_once_it_is_published(http):
    from django.conf import settings

    service = Client(
        SERVER_NAME="localhost", headers={"authorization": f"Bearer {settings.UCI.service_token}"}
    )
    unpublished = "/archives/local/ci_pool-001/dists/x/Release"

    assert http.get(unpublished).status_code == 404
    assert body_of(service.get(unpublished)) == b"Origin: here\n"
    assert body_of(http.get("/archives/local/archive/dists/x/Release")) == b"Origin: here\n"


@pytest.mark.parametrize("name", ["..%2f..%2fservice-token", "%2e%2e/service-token", "dists/../../x"])
def test_nothing_outside_an_archive_is_served(http, name):
    response = http.get(f"/archives/local/archive/{name}")

    assert response.status_code == 404
    assert "no file" in response.json()["error"] or "not found" in response.json()["error"]


@pytest.mark.parametrize(
    "path",
    [
        "local/archive/pool/%00",
        f"local/archive/pool/{'a' * 300}",
        f"local/archive/pool{'/a' * 3000}",
        "local/archive/dists/../../../db.sqlite3",
        "../archive/dists/a",
    ],
)
def test_no_address_of_an_archive_is_an_error_of_the_engine(http, path):
    assert http.get(f"/archives/{path}").status_code == 404


def test_the_keys_of_the_archives_are_served_to_nobody(service):
    archives = ports.config().data_dir / "archives" / ".state" / "gnupg"
    archives.mkdir(parents=True, exist_ok=True)
    secret = archives / "secret.key"
    secret.write_text("secret")
    answer = service._client.get("/archives/.state/gnupg/dists/../secret.key")
    secret.unlink()
    assert answer.status_code == 404


@pytest.mark.parametrize("length", ["²", "9" * 5000, "-1", ""])
def test_an_upload_of_no_sound_length_is_refused(http, public_store, length):
    url = path_of(public_store.upload_url("a.log"))
    answer = http.generic("PUT", url, b"x", CONTENT_LENGTH=length)
    assert answer.status_code == 400
