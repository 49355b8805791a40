"""Options, settings, tokens and exit codes of `ubuntu-ci`."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from ci_utils import errors
from ci_utils.clients.credentials import save
from ci_utils.durations import duration
from cli.exit_codes import Exit, exit_of
from tests.cli.conftest import UBUNTU_CI
from tests.cli.ticket_system import running_ticket_system


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("unknown",),
        ("create_ticket",),
        ("-v", "4", "status"),
        ("-u", "not a url", "status"),
        ("-S", "-u", "http://127.0.0.1:1", "status"),
        ("status", "x"),
        ("status", "0"),
        ("get_image",),
        ("cancel", "../1"),
        ("update_ticket", "1", "-b", "not a bug"),
        ("update_ticket", "1", "-o", "nobody"),
        ("create_ticket", "-s", "x.changes", "-a", "Not_A_Package"),
        ("create_ticket", "-s", "x.changes", "--wait", "--follow"),
    ],
)
def test_wrong_options_are_refused(ubuntu_ci, system, arguments):
    assert ubuntu_ci(*arguments) == Exit.USAGE
    assert system.requests == []


def test_help_tells_the_exit_codes(ubuntu_ci, capsys):
    assert ubuntu_ci("--help") == Exit.OK
    out = capsys.readouterr().out
    for code in Exit:
        assert f"{code.value:>3}  {code.meaning}" in out


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, Exit.REFUSED),
        (401, Exit.NOT_ALLOWED),
        (403, Exit.NOT_ALLOWED),
        (404, Exit.NOT_FOUND),
        (409, Exit.REFUSED),
        (429, Exit.NO_ANSWER),
        (500, Exit.ENGINE_FAILED),
        (503, Exit.NO_ANSWER),
    ],
)
def test_the_exit_status_tells_what_the_server_answered(ubuntu_ci, system, capsys, status, code):
    system.refuse["GET fullticket/1/"] = (status, "a sentence")
    assert ubuntu_ci("status", 1) == code
    assert capsys.readouterr().err.splitlines() == ["ubuntu-ci: a sentence", *filter(None, [code.advice])]


def test_nobody_there_is_told(ubuntu_ci, capsys):
    assert ubuntu_ci("-u", "http://127.0.0.1:1", "status") == Exit.NO_ANSWER
    err = capsys.readouterr().err
    assert err.startswith("ubuntu-ci: http://127.0.0.1:1 does not answer\nis it running? try again later")


def test_a_ticket_that_failed_and_one_cancelled_are_told_apart():
    assert exit_of(errors.StageFailed("x")) is Exit.TICKET_FAILED
    assert exit_of(errors.Cancelled("x")) is Exit.TICKET_CANCELLED
    assert exit_of(errors.UploadRejected("x")) is Exit.REFUSED
    assert exit_of(errors.ConfigurationError("x")) is Exit.USAGE


@pytest.mark.parametrize("place", ["before", "behind"])
def test_the_url_can_stand_before_and_behind_the_command(ubuntu_ci, system, capsys, place):
    with running_ticket_system() as other:
        arguments = ("-u", f"{other.url}/", "status") if place == "before" else ("status", "-u", other.url)
        assert ubuntu_ci(*arguments) == Exit.OK
        assert other.requests == ["GET ticketstatus/"]
    assert system.requests == []


def test_staging_is_where_the_setting_says(ubuntu_ci, system, monkeypatch, capsys):
    assert ubuntu_ci("-S", "status") == Exit.USAGE
    assert "UCI_STAGING_URL is not set" in capsys.readouterr().err
    with running_ticket_system() as staging:
        monkeypatch.setenv("UCI_STAGING_URL", staging.url)
        assert ubuntu_ci("-S", "status") == Exit.OK
        assert staging.requests == ["GET ticketstatus/"]
    assert system.requests == []


def test_the_token_of_a_local_engine_is_found(ubuntu_ci, system, monkeypatch):
    monkeypatch.delenv("UCI_TOKEN")
    ubuntu_ci("status")
    save(system.url, "kept")
    ubuntu_ci("status")
    monkeypatch.setenv("UCI_TOKEN", "given")
    ubuntu_ci("status")
    assert system.tokens == ["", "Bearer kept", "Bearer given"]


def test_a_wrong_setting_is_named(ubuntu_ci, monkeypatch, capsys):
    monkeypatch.setenv("UCI_URL", "nowhere")
    assert ubuntu_ci("status") == Exit.USAGE
    assert "UCI_URL" in capsys.readouterr().err


def test_a_reader_that_goes_away_is_no_error(system):
    for number in range(1, 200):
        system.add(number, title="x" * 4000)
    command = [UBUNTU_CI, "-v", "1", "-u", system.url, "status"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(110) == Exit.OK
        assert process.stderr is not None
        assert process.stderr.read() == b""


@pytest.mark.parametrize("command", ["wait", "watch"])
@pytest.mark.parametrize("buffered", [True, False])
@pytest.mark.parametrize(("step", "code"), [("999", Exit.TICKET_FAILED), ("1000", Exit.OK)])
def test_a_reader_that_goes_away_changes_nothing_of_how_a_ticket_ended(
    system, monkeypatch, command, step, code, buffered
):
    monkeypatch.setenv("PYTHONUNBUFFERED", "" if buffered else "1")
    system.add(3, current_workflow_step=step, status=step)
    assert unread("-v", "1", "-u", system.url, command, "3") == (code, b"")


@pytest.mark.parametrize("command", ["watch --json", "logs --follow", "retry --follow --json"])
def test_a_reader_that_goes_away_before_the_end_is_told_from_an_end(system, command):
    system.add(3)
    system.consoles = ["== build: RUNNING\nT building\n"]
    assert unread("-v", "1", "-u", system.url, *command.split(), "3") == (Exit.CUT_OFF, b"")


def test_a_reader_that_goes_away_while_files_are_fetched_is_told_from_their_end(system, tmp_path):
    url = f"{system.url}/api/v1/image/"
    system.add(
        3, artifacts=[{"type": "LOGS", "name": name, "url": url + name} for name in ("a.log", "b.log")]
    )
    for remarks in (True, False):
        command = ("-u", system.url, "artifacts", "3", "--download", str(tmp_path))
        assert unread(*command, remarks=remarks)[0] == Exit.CUT_OFF


@pytest.mark.parametrize(("step", "code"), [("999", Exit.TICKET_FAILED), ("1000", Exit.OK)])
def test_remarks_that_nobody_reads_change_nothing(system, step, code):
    system.add(3, current_workflow_step=step, status=step)
    assert unread("-u", system.url, "wait", "3", remarks=False)[0] == code


def unread(*arguments: str, remarks: bool = True) -> tuple[int, bytes]:
    """The exit status of a command whose output nobody reads, and what it remarked if they read that."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [UBUNTU_CI, *arguments],
            stdout=writing,
            stderr=subprocess.PIPE if remarks else writing,
            timeout=110,
            check=False,
        )
    finally:
        os.close(writing)
    return done.returncode, done.stderr or b""


@pytest.mark.parametrize("buffered", [True, False])
def test_a_full_disk_is_told_in_a_sentence(system, monkeypatch, buffered):
    monkeypatch.setenv("PYTHONUNBUFFERED", "" if buffered else "1")
    system.add(3)
    with Path("/dev/full").open("wb") as full:
        command = [UBUNTU_CI, "-u", system.url, "status", "3"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, timeout=110, check=False)
    assert done.returncode == Exit.ENGINE_FAILED
    assert done.stderr == b"ubuntu-ci: standard output: No space left on device\n"


@pytest.mark.parametrize("answer", [b"[]", b'{"name": "another program"}', b"3"])
def test_another_program_at_the_address_is_told_in_a_sentence(ubuntu_ci, capsys, answer, system):
    system.add(3)
    system.instead = answer
    for command in (("status",), ("status", 3), ("logs", 3)):
        assert ubuntu_ci(*command) == Exit.ENGINE_FAILED
        err = capsys.readouterr().err
        assert err.startswith("ubuntu-ci: the ticket system gave an answer that")
        assert err.count("\n") == 1


def test_an_address_that_points_to_another_is_told_with_it(ubuntu_ci, system, capsys):
    system.moved = "https://ci.example.com"
    assert ubuntu_ci("status", 3) == Exit.ENGINE_FAILED
    assert "points to https://ci.example.com/api/v1/fullticket/3/" in capsys.readouterr().err


@pytest.mark.parametrize("token", ["a€", "a b", "a\n"])
def test_a_token_that_no_request_can_carry_is_a_wrong_setting(ubuntu_ci, system, monkeypatch, capsys, token):
    monkeypatch.setenv("UCI_TOKEN", token)
    assert ubuntu_ci("status") == Exit.USAGE
    err = capsys.readouterr().err
    assert err.startswith("ubuntu-ci: UCI_TOKEN: its value is not valid")
    assert "€" not in err
    assert system.requests == []


def test_a_file_with_a_token_that_is_no_text_is_a_wrong_setting(ubuntu_ci, monkeypatch, tmp_path, capsys):
    monkeypatch.delenv("UCI_TOKEN")
    monkeypatch.setenv("UCI_TOKEN_FILE", str(tmp_path / "token"))
    (tmp_path / "token").write_bytes(b"\xff\xfe")
    assert ubuntu_ci("status") == Exit.USAGE
    assert "no text in UTF-8" in capsys.readouterr().err


@pytest.fixture(scope="module")
def certificate(tmp_path_factory) -> Path:
    """A certificate of 127.0.0.1 that no authority has signed, with its key, in one file."""
    made: Path = tmp_path_factory.mktemp("tls") / "server.pem"
    command = "openssl req -x509 -nodes -newkey ec -pkeyopt ec_paramgen_curve:P-256 -days 1"
    name = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*command.split(), *name, "-keyout", made, "-out", made], check=True, capture_output=True)
    return made


class TestCertificates:
    @pytest.mark.parametrize("command", ["status", "watch 3", "wait 3"])
    def test_that_are_not_trusted_end_a_command_at_once(self, ubuntu_ci, certificate, capsys, command):
        with running_ticket_system(certificate) as other:
            assert ubuntu_ci("-u", other.url, *command.split()) == Exit.USAGE
        err = capsys.readouterr().err
        assert err == (
            f"ubuntu-ci: {other.url} has a certificate that is not trusted (self-signed certificate); "
            "for ubuntu-ci, UCI_CA_FILE names the file of another authority\n"
        )

    def test_of_an_own_authority_are_trusted_when_told_so(self, ubuntu_ci, certificate, monkeypatch):
        monkeypatch.setenv("UCI_CA_FILE", str(certificate))
        with running_ticket_system(certificate) as other:
            other.add(3)
            assert ubuntu_ci("-u", other.url, "status", 3) == Exit.OK

    @pytest.mark.parametrize("file", ["relative.pem", "/nowhere/ca.pem"])
    def test_that_are_not_there_are_a_wrong_setting(self, ubuntu_ci, monkeypatch, capsys, file):
        monkeypatch.setenv("UCI_CA_FILE", file)
        assert ubuntu_ci("status") == Exit.USAGE
        assert "UCI_CA_FILE" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-1, "0 s"), (0.4, "0 s"), (59.6, "1 min 0 s"), (125, "2 min 5 s"), (3780, "1 h 3 min")],
)
def test_durations_read_like_people_say_them(seconds, text):
    assert duration(seconds) == text
