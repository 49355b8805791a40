"""An engine that keeps its files in a real Swift, as its users see it."""

from __future__ import annotations

import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from tests.cache import TEST_CACHE
from tests.ci_utils.source_package.uploads import SigningKey
from tests.end_to_end.engine import Engine, running_engine
from tests.end_to_end.shared_parts import lend, prepared
from tests.harness.openstack.swift import Swift
from tests.source_packages import SourcePackage

pytestmark = [pytest.mark.slow, pytest.mark.system, pytest.mark.server, pytest.mark.timeout(900)]

KEY = "a-key-for-the-tests"
#: Longer than a request to Swift is tried again.
AWAY_SECONDS = 12
WHY = "echo this goes wrong; false"


@pytest.fixture(scope="module")
def account(swift: Swift) -> dict[str, str]:
    """The settings of the engine's account."""
    return {"UCI_DATA_STORE": "swift", "CI_TEMPURL_SIGNING_KEY": KEY, **swift.new_user()}


@pytest.fixture(scope="module")
def engine(account: dict[str, str], uploader: SigningKey) -> Iterator[Engine]:
    directory = Path(tempfile.mkdtemp(prefix="uci-on-swift-", dir="/var/tmp"))
    directory.chmod(0o755)
    lend(prepared(TEST_CACHE / "engine"), directory / "data")
    try:
        with running_engine(directory, UCI_POOL_SIZE="1", **account) as engine:
            (directory / "uploader.asc").write_bytes(uploader.public("--armor"))
            added = engine.command("uploader", "add", directory / "uploader.asc")
            assert added.returncode == 0, added.stderr
            yield engine
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="module")
def failed(engine: Engine, uploader: SigningKey, tmp_path_factory) -> dict[str, Any]:
    """A ticket whose source did not build, made and followed by `ubuntu-ci`."""
    return land(engine, SourcePackage("bad", build=WHY).upload(tmp_path_factory.mktemp("bad"), uploader))


@pytest.fixture(scope="module")
def private(engine: Engine, uploader: SigningKey, tmp_path_factory) -> dict[str, Any]:
    """The same, and nobody but its submitter and operators shall see it."""
    directory = tmp_path_factory.mktemp("secret")
    return land(engine, SourcePackage("secret", build=WHY).upload(directory, uploader), "--private")


def land(engine: Engine, changes: Path, *options: str) -> dict[str, Any]:
    created = engine.ubuntu_ci("create_ticket", "-s", changes, "-o", "me@example.com", *options)
    assert created.returncode == 0, created.stderr
    return engine.wait_for_end(int(engine.client.get("ticketstatus/", limit=1)["objects"][0]["id"]))


def urls(ticket: dict[str, Any]) -> dict[str, str]:
    """The URLs of all files of a ticket, by name."""
    subtickets = [file for subticket in ticket["subtickets"] for file in subticket["artifacts"]]
    return {file["name"]: file["url"] for file in [*ticket["artifacts"], *subtickets]}


def get(url: str) -> requests.Response:
    return requests.get(url, timeout=60)


def test_a_failing_build_is_told_with_a_log_that_anybody_reads_from_swift(failed, swift):
    assert "bad 1.0 failed to build" in failed["message"]
    log = get(failed["log_url"])
    assert failed["log_url"].startswith(f"{swift.url}/v1/")
    assert "this goes wrong" in log.text
    assert log.headers["Content-Type"] == "text/plain; charset=utf-8"


def test_all_files_of_a_ticket_are_in_its_containers_in_swift(failed, swift, engine):
    found = urls(failed)
    assert {"bad_1.0.dsc", "bad_1.0_source.changes", "bad_1.0.tar.xz"} < set(found)
    containers = set()
    for name, url in found.items():
        answer = get(url)
        assert answer.status_code == 200, (name, url)
        container = urlsplit(url).path.split("/")[3]
        containers.add(container)
        shown = answer.headers["Content-Disposition"].partition(";")[0]
        assert shown == ("inline" if name.endswith((".log", ".dsc", ".changes")) else "attachment")
    ticket = f"ticket.{failed['id']}"
    assert containers >= {f"{ticket}.sources", f"{ticket}.logs", f"{ticket}.lander"}
    assert not (engine.data_dir / "data-store").exists()
    assert get(f"{engine.url}/data/{ticket}.sources/bad_1.0.dsc").status_code == 404


def test_files_of_a_private_ticket_are_read_by_signed_urls_alone(private, engine):
    for name, url in urls(private).items():
        assert get(url).status_code == 200, name
        assert get(url.partition("?")[0]).status_code == 401, name
    shown = engine.ubuntu_ci("status", str(private["id"])).stdout
    (log,) = re.findall(r"^log: +(\S+)$", shown, re.MULTILINE)
    assert "this goes wrong" in get(log).text


def test_whoever_has_the_url_of_an_upload_changes_nothing_later(engine, uploader, tmp_path):
    changes = SourcePackage("late", build=WHY).upload(tmp_path, uploader)
    source = {"changes_name": changes.name, "changes": changes.read_text()}
    draft = {"title": "t", "owner": "me@example.com", "sources": [source]}
    made = engine.client.create_bundle(draft)
    (uploads,) = (source["uploads"] for source in made["sources"])
    for name, url in uploads.items():
        engine.client.upload(url, tmp_path / name)
    engine.client.queue(made["id"])
    for url in uploads.values():
        assert requests.put(url, data=b"something else", timeout=60).status_code == 201
    ticket = engine.wait_for_end(made["id"])
    assert "late 1.0 failed to build" in ticket["message"]
    for name, url in urls(ticket).items():
        if name in uploads:
            assert get(url).content == (tmp_path / name).read_bytes()


def test_a_swift_that_goes_away_in_the_middle_costs_at_most_that_ticket(engine, swift, uploader, tmp_path):
    changes = SourcePackage("patient", build="sleep 5; false").upload(tmp_path, uploader)
    created = engine.ubuntu_ci("create_ticket", "-s", changes, "-o", "me@example.com")
    assert created.returncode == 0, created.stderr
    swift.stop_proxy()
    try:
        time.sleep(AWAY_SECONDS)
        asked = engine.ubuntu_ci("create_ticket", "-s", changes, "-o", "me@example.com")
        assert asked.returncode != 0
        assert "Swift of ST_AUTH" in asked.stderr
    finally:
        swift.start_proxy()
    ticket = engine.wait_for_end(int(engine.client.get("ticketstatus/", limit=1)["objects"][0]["id"]))
    said = ("patient 1.0 failed to build", "Swift of ST_AUTH does not answer")
    assert any(reason in ticket["message"] for reason in said), ticket["message"]
    again = land(engine, changes)
    assert "patient 1.0 failed to build" in again["message"]
    assert get(again["log_url"]).status_code == 200


def test_neither_log_nor_arguments_tell_a_secret(engine, account, failed, private):
    log = engine.log.read_text()
    process = engine.process
    assert process
    arguments = Path(f"/proc/{process.pid}/cmdline").read_text()
    for secret in (KEY, account["ST_KEY"], "temp_url_sig", "X-Auth-Token"):
        assert secret not in log
        assert secret not in arguments


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"ST_KEY": "an-unlikely-key"}, "ST_USER and ST_KEY: Swift does not accept the user"),
        (
            {"ST_AUTH": "http://127.0.0.1:1/auth", "UCI_START_TIMEOUT": "1"},
            "ST_AUTH (http://127.0.0.1:1/auth) does not answer",
        ),
        ({"CI_TEMPURL_SIGNING_KEY": ""}, "CI_TEMPURL_SIGNING_KEY is not set"),
    ],
)
def test_an_engine_with_a_wrong_setting_ends_with_a_sentence(account, tmp_path, wrong, said):
    (tmp_path / "data").mkdir()
    settings = {**account, **wrong}
    engine = Engine(tmp_path / "data", settings, tmp_path / "log")
    ended = engine.command("run", "--listen", "127.0.0.1:0")
    assert ended.returncode == 1
    last = ended.stderr.strip().splitlines()[-1]
    assert last.startswith("uci-engine: ")
    assert said in last
    assert "an-unlikely-key" not in ended.stderr + ended.stdout
