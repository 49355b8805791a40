"""`uci-engine` as operators use it: real processes on a data directory of their own."""

from __future__ import annotations

import socket
import stat
from pathlib import Path

import pytest
import requests

from ci_utils.config import SERVICES
from tests.end_to_end.engine import Engine, running_engine
from tests.harness.processes import status_of_one_asked_again_and_again

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    with running_engine(tmp_path_factory.mktemp("engine")) as running:
        yield running


def another(tmp_path: Path, **settings: str) -> Engine:
    return Engine(tmp_path / "data", settings, tmp_path / "engine.log")


def test_it_serves_the_status_of_every_service(engine):
    status = requests.get(f"{engine.url}/api/v1/status", timeout=100).json()

    assert set(status["services"]) == set(SERVICES)


def test_it_is_ready_with_all_that_it_needs(engine):
    answer = requests.get(f"{engine.url}/api/v1/ready", timeout=100)

    assert (answer.status_code, answer.json()) == (200, {"ready": True})


def test_its_secrets_are_readable_by_their_owner_only(engine):
    for name in ("secret-key", "service-token", "local-token"):
        assert stat.S_IMODE((engine.data_dir / name).stat().st_mode) == 0o600


def test_a_second_engine_on_the_same_data_is_refused(engine):
    second = engine.command("run", "--listen", "127.0.0.1:0")

    assert second.returncode == 1
    assert "another engine runs on" in second.stderr


def test_a_port_in_use_is_named(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        answer = another(tmp_path).command("run", "--listen", f"127.0.0.1:{port}")

    assert answer.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port}" in answer.stderr


def test_a_token_stands_alone_on_the_last_line_and_opens_the_api(engine):
    created = engine.command("token", "create", "jenkins")
    token = created.stdout.splitlines()[-1]

    headers = {"Authorization": f"Bearer {token}"}
    answer = requests.post(f"{engine.url}/api/v1/bundle/", json={}, headers=headers, timeout=100)
    assert answer.status_code == 400, answer.text
    assert created.stdout.count(token) == 1


def test_a_token_name_is_taken_once(engine):
    engine.command("token", "create", "twice")
    second = engine.command("token", "create", "twice")

    assert second.returncode == 1
    assert "there is a token named 'twice' already" in second.stderr


def test_a_token_is_listed_until_it_is_revoked_and_then_opens_nothing(engine):
    created = engine.command("token", "create", "leaver", "--scope", "read", "--expires", "30")
    headers = {"Authorization": f"Bearer {created.stdout.splitlines()[-1]}"}
    (line,) = [
        line for line in engine.command("token", "list").stdout.splitlines() if line.startswith("leaver\t")
    ]
    assert line.startswith("leaver\tread\tuntil 2")
    asked = f"{engine.url}/api/v1/ticket/"
    assert requests.get(asked, headers=headers, timeout=100).status_code == 200
    assert requests.post(asked, json={}, headers=headers, timeout=100).status_code == 403

    assert engine.command("token", "revoke", "leaver").returncode == 0
    assert requests.get(asked, headers=headers, timeout=100).status_code == 401
    assert "leaver" not in engine.command("token", "list").stdout
    again = engine.command("token", "revoke", "leaver")
    assert (again.returncode, again.stderr.count("there is no token named 'leaver'")) == (1, 1)


@pytest.mark.parametrize(
    "command", [("uploader", "add"), ("project", "load"), ("user", "add", "me", "--password-file")]
)
def test_what_a_command_refuses_is_one_sentence_of_its_own(engine, command):
    refused = engine.command(*command, "/nonexistent")

    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == "uci-engine: /nonexistent cannot be read: No such file or directory\n"


def test_the_database_holds_no_token(engine):
    token = engine.command("token", "create", "hashed").stdout.splitlines()[-1]
    files = [path for path in engine.data_dir.glob("engine.sqlite3*") if path.is_file()]
    assert files
    for path in files:
        assert token.encode() not in path.read_bytes()


@pytest.mark.parametrize("days", ["0", "-1", "x", "99999999"])
def test_a_wrong_expiry_is_refused(engine, days):
    assert engine.command("token", "create", "x", "--expires", days).returncode == 2


def test_a_wrong_setting_stops_it_before_anything_is_made(tmp_path):
    answer = another(tmp_path, UCI_POOL_SIZE="none").command("run")

    assert answer.returncode == 1
    assert "UCI_POOL_SIZE" in answer.stderr
    assert not (tmp_path / "data").exists()


def test_check_names_what_is_missing(tmp_path):
    engine = another(tmp_path)
    engine.data_dir.mkdir()
    complete = engine.command("check")
    bare = Engine(engine.data_dir, {"PATH": "/nonexistent"}, engine.log).command("check")

    assert complete.returncode == 0, complete.stdout
    assert bare.returncode == 1
    assert "apt-get install" in bare.stdout
    assert "mmdebstrap" in bare.stdout


def test_it_stops_on_sigterm_and_comes_back_on_the_same_port(tmp_path):
    with running_engine(tmp_path) as engine:
        first = engine.url
        assert engine.stop() == 0
        engine.start()
        assert engine.url == first


def test_it_ends_well_however_often_it_is_asked_to(tmp_path):
    with running_engine(tmp_path) as engine:
        process, engine.process = engine.process, None
        assert process

        assert status_of_one_asked_again_and_again(process) == 0


def test_it_serves_where_its_user_has_no_home(tmp_path):
    (tmp_path / "config").write_text("a file where a directory is needed")

    with running_engine(tmp_path) as engine:
        assert requests.get(f"{engine.url}/api/v1/status", timeout=100).ok
        assert "ubuntu-ci gets no token by itself" in engine.log.read_text()


def test_migrate_may_be_repeated(tmp_path):
    engine = another(tmp_path)
    engine.data_dir.mkdir()

    assert engine.command("migrate").returncode == 0
    assert "No migrations to apply" in engine.command("migrate").stdout
