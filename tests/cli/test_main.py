"""Options, settings, tokens and exit codes of `ubuntu-ci`."""

from __future__ import annotations

import subprocess

import pytest

from ci_utils import errors
from ci_utils.clients.credentials import save
from cli.exit_codes import Exit, exit_of
from cli.follow import duration
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
    assert capsys.readouterr().err == "ubuntu-ci: a sentence\n"


def test_nobody_there_is_told(ubuntu_ci, capsys):
    assert ubuntu_ci("-u", "http://127.0.0.1:1", "status") == Exit.NO_ANSWER
    assert capsys.readouterr().err == "ubuntu-ci: http://127.0.0.1:1 does not answer\n"


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
        assert process.wait(60) == Exit.OK
        assert process.stderr is not None
        assert process.stderr.read() == b""


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-1, "0 s"), (0.4, "0 s"), (59.6, "1 min 0 s"), (125, "2 min 5 s"), (3780, "1 h 3 min")],
)
def test_durations_read_like_people_say_them(seconds, text):
    assert duration(seconds) == text
