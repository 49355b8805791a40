"""What a real engine refuses, before any build, with a sentence that names the thing."""

from __future__ import annotations

from pathlib import Path

import pytest
import requests

from tests.ci_utils.source_package.uploads import Upload, throw_away_key
from tests.end_to_end.engine import Engine
from tests.source_packages import SourcePackage

pytestmark = [pytest.mark.slow, pytest.mark.system, pytest.mark.timeout(300)]


def tickets(engine: Engine) -> int:
    count = requests.get(f"{engine.url}/api/v1/ticketstatus/?limit=1", timeout=60).json()["meta"][
        "total_count"
    ]
    return int(count)


def send(engine: Engine, changes: Path, **fields: object) -> requests.Response:
    """POST a bundle without the checks that `ubuntu-ci` makes first."""
    dsc = changes.with_name(changes.name.replace("_source.changes", ".dsc"))
    source = {"changes_name": changes.name, "changes": changes.read_text()}
    if dsc.exists():
        source["dsc"] = dsc.read_text()
    body = {"title": "t", "owner": "me@example.com", "sources": [source], **fields}
    return call(engine, "POST", "bundle/", body)


def call(engine: Engine, method: str, path: str, body: object) -> requests.Response:
    token = (engine.data_dir / "local-token").read_text().strip()
    headers = {"Authorization": f"Bearer {token}"}
    return requests.request(method, f"{engine.url}/api/v1/{path}", json=body, headers=headers, timeout=60)


@pytest.fixture
def nothing_is_made(engine: Engine):
    before = tickets(engine)
    yield
    assert tickets(engine) == before


def test_an_unsigned_upload(engine, nothing_is_made, tmp_path):
    answer = send(engine, Upload().write(tmp_path, None))

    assert answer.status_code == 400
    assert "hello_2.10-4_source.changes is not signed" in answer.json()["error"]


def test_an_upload_signed_by_somebody_who_is_not_trusted(engine, nothing_is_made, tmp_path):
    with throw_away_key("Mallory <mallory@example.com>") as mallory:
        answer = send(engine, Upload().write(tmp_path, mallory))

    assert answer.status_code == 400
    assert "key" in answer.json()["error"]
    assert "hello_2.10-4_source.changes" in answer.json()["error"]


def test_a_changes_that_was_altered_after_it_was_signed(engine, nothing_is_made, uploader, tmp_path):
    changes = Upload().write(tmp_path, uploader)
    changes.write_text(changes.read_text().replace("Greet the world", "Greet nobody"))

    assert "signature" in send(engine, changes).json()["error"]


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", ".hidden", "a b"])
def test_a_file_name_that_is_no_plain_name(engine, nothing_is_made, uploader, tmp_path, name):
    listed = f"\n {'0' * 64} 1 {name}"
    upload = Upload(fields={"Checksums-Sha256": listed, "Files": f"\n {'0' * 32} 1 misc optional {name}"})

    answer = send(engine, upload.write(tmp_path, uploader))

    assert answer.status_code == 400
    assert name.split()[0] in answer.json()["error"]


def test_a_file_that_the_dsc_needs_but_the_changes_does_not_list(engine, nothing_is_made, uploader, tmp_path):
    changes = Upload(left_out=("hello_2.10.orig.tar.gz",)).write(tmp_path, uploader)

    answer = engine.ubuntu_ci("create_ticket", "-s", changes, "-o", "me@example.com")

    assert answer.returncode == 3
    assert "hello_2.10.orig.tar.gz" in answer.stderr


def test_a_checksum_that_does_not_match(engine, nothing_is_made, uploader, tmp_path):
    changes = Upload().write(tmp_path, uploader)
    (tmp_path / "hello_2.10.orig.tar.gz").write_bytes(b"the upstream sourceX")

    answer = engine.ubuntu_ci("create_ticket", "-s", changes, "-o", "me@example.com")

    assert answer.returncode == 3
    assert "hello_2.10.orig.tar.gz" in answer.stderr


def test_something_that_is_not_a_changes(engine, nothing_is_made, tmp_path):
    path = tmp_path / "notes_1.0_source.changes"
    path.write_text("just some notes\n")

    assert "notes_1.0_source.changes" in send(engine, path).json()["error"]


def test_an_unknown_package_to_add(engine, nothing_is_made, uploader, tmp_path):
    changes = SourcePackage("plain", "1.0").upload(tmp_path, uploader)

    answer = send(engine, changes, add_packages=["no-such-package-anywhere"])

    assert answer.status_code == 400
    assert "no-such-package-anywhere" in answer.json()["error"]


def test_a_file_that_the_signed_changes_does_not_declare(engine, uploader, tmp_path):
    made = send(engine, SourcePackage("smuggler", "1.0").upload(tmp_path, uploader)).json()
    (source,) = made["sources"]
    subticket = f"/api/v1/subticket/{source['subticket']}/"
    extra = {"name": "extra.tar.gz", "subticket": subticket, "type": "SPU"}
    uploads = source["uploads"] | {
        "extra.tar.gz": call(engine, "POST", "subticketartifact/", extra).json()["upload_url"]
    }
    (tmp_path / "extra.tar.gz").write_bytes(b"not declared")
    for name, url in uploads.items():
        assert requests.put(url, data=(tmp_path / name).read_bytes(), timeout=60).status_code == 201

    queue = {"current_workflow_step": "100", "status": "000"}
    answer = call(engine, "PATCH", f"updateticketstatus/{made['id']}/", queue)

    assert answer.status_code == 400
    assert (
        "extra.tar.gz was uploaded, but smuggler_1.0_source.changes does not list it"
        in answer.json()["error"]
    )


def test_files_that_were_not_sent_or_not_as_signed(engine, uploader, tmp_path):
    made = send(engine, SourcePackage("late", "1.0").upload(tmp_path, uploader)).json()
    (uploads,) = (source["uploads"] for source in made["sources"])
    queue = {"current_workflow_step": "100", "status": "000"}

    missing = call(engine, "PATCH", f"updateticketstatus/{made['id']}/", queue)
    for name, url in uploads.items():
        contents = (tmp_path / name).read_bytes()
        requests.put(url, data=contents[:-1] + b"!" if name.endswith(".tar.xz") else contents, timeout=60)
    changed = call(engine, "PATCH", f"updateticketstatus/{made['id']}/", queue)

    assert (missing.status_code, changed.status_code) == (400, 400)
    assert "late_1.0_source.changes is missing" in missing.json()["error"]
    assert "late_1.0.tar.xz" in changed.json()["error"]
    assert (
        requests.get(f"{engine.url}/api/v1/ticket/{made['id']}/", timeout=60).json()["current_workflow_step"]
        == "000"
    )


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "bundle/", b"{not json"),
        ("POST", "bundle/", b"[]"),
        ("POST", "bundle/", b"\xff\xfe"),
        ("POST", "bundle/", b"[" * 100_000),
        ("POST", "bundle/", b'{"title": 5}'),
        ("POST", "ticket/", b'{"title": "t\\u0000"}'),
        ("POST", "build_source/", b'{"ticket_id": {}}'),
        ("POST", "build_image/", b'{"base_image": 5}'),
        ("POST", "test_image/", b'{"package_list": "x"}'),
        ("POST", "execute_request/", b"{}"),
        ("PATCH", "updateticketstatus/999999/", b'{"current_workflow_step": "100", "status": "000"}'),
        ("PATCH", "ticket/99999999999999999999999/", b"{}"),
        ("PATCH", "ppa/1/", b'{"state": "free"}'),
        ("GET", "ticket/abc/", b""),
        ("GET", "fullticket/-1/", b""),
        ("GET", "ticketstatus/?limit=many", b""),
        ("GET", "nothing/", b""),
        ("DELETE", "ticket/1/", b""),
    ],
)
def test_malformed_requests_get_a_4xx_with_a_json_error(engine, nothing_is_made, method, path, body):
    token = (engine.data_dir / "local-token").read_text().strip()
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    answer = requests.request(method, f"{engine.url}/api/v1/{path}", data=body, headers=headers, timeout=60)

    assert 400 <= answer.status_code < 500, answer.text
    assert answer.json()["error"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "ticket/"),
        ("POST", "bundle/"),
        ("POST", "sourcepackage/"),
        ("POST", "spu/"),
        ("POST", "subticket/"),
        ("POST", "subticketartifact/"),
        ("POST", "ticketartifact/"),
        ("PATCH", "updateticketstatus/1/"),
        ("PATCH", "updatesubticketstatus/1/"),
        ("POST", "ticket/1/cancel/"),
        ("POST", "ppa/"),
        ("PATCH", "ppa/"),
        ("PATCH", "ppa/1/"),
        ("POST", "build_source/"),
        ("POST", "build_image/"),
        ("POST", "test_image/"),
        ("POST", "execute_request/"),
        ("POST", "cancel_request/"),
    ],
)
@pytest.mark.parametrize("token", ["", "Bearer wrong", "Basic dXNlcjpwYXNz"])
def test_no_write_without_a_known_token(engine, nothing_is_made, method, path, token):
    headers = {"Authorization": token} if token else {}

    answer = requests.request(method, f"{engine.url}/api/v1/{path}", json={}, headers=headers, timeout=60)

    # So many wrong ones from one address are slowed down, too.
    assert answer.status_code in ((401, 429) if token == "Bearer wrong" else (401,))
    assert answer.json()["error"]
