"""`ubuntu-ci watch`, `wait` and `retry`."""

from __future__ import annotations

import json

import pytest

from cli.exit_codes import Exit

COMPLETE = {"current_workflow_step": "1000", "status": "1000"}
FAILED = {"current_workflow_step": "999", "status": "999", "failed_workflow_step": "400", "message": "no"}
CANCELLED = {"current_workflow_step": "999", "status": "998"}
BUILDING = {"current_workflow_step": "200", "status": "100", "message": "hello: building"}
ENDS = [(COMPLETE, Exit.OK), (FAILED, Exit.TICKET_FAILED), (CANCELLED, Exit.TICKET_CANCELLED)]


@pytest.mark.parametrize("command", ["watch", "wait", "logs --follow"])
@pytest.mark.parametrize(("end", "code"), ENDS)
def test_the_exit_status_tells_how_a_ticket_ended(ubuntu_ci, system, command, end, code):
    system.add(3)
    system.coming = [BUILDING, end]
    assert ubuntu_ci(*command.split(), 3) == code


def test_watching_a_ticket_that_failed_says_where_why_and_what_next(ubuntu_ci, system, capsys):
    system.add(3, **FAILED, log_url="http://example.com/log")
    ubuntu_ci("watch", 3)
    out, err = capsys.readouterr()
    assert out.splitlines() == ["ticket 3 Failed at Image Testing: no", "log: http://example.com/log"]
    assert "see: ubuntu-ci logs 3 and ubuntu-ci results 3" in err


def test_watching_as_json_tells_every_change_once(ubuntu_ci, system, capsys):
    system.add(3)
    system.coming = [BUILDING, BUILDING, BUILDING | {"message": "\x1b[31m"}, COMPLETE | {"message": ""}]
    assert ubuntu_ci("watch", 3, "--json") == Exit.OK
    out = capsys.readouterr().out
    told = [json.loads(line) for line in out.splitlines()]
    assert [(change["step"], change["message"]) for change in told] == [
        ("000", ""),
        ("200", "hello: building"),
        ("200", "\x1b[31m"),
        ("1000", ""),
    ]
    assert told[-1]["ended"] is True
    assert "\x1b" not in out


def test_waiting_says_the_end_and_nothing_else(ubuntu_ci, system, capsys):
    system.add(3)
    system.coming = [BUILDING, FAILED]
    ubuntu_ci("wait", 3)
    assert capsys.readouterr() == ("ticket 3 Failed at Image Testing: no\n", "")


def test_waiting_ends_when_its_time_is_over(ubuntu_ci, system, capsys):
    system.add(3, **BUILDING)
    assert ubuntu_ci("wait", 3, "--timeout", "0s") == Exit.TIMED_OUT
    assert "ticket 3 has not ended yet and goes on" in capsys.readouterr().err


def test_a_ticket_that_has_ended_needs_no_time(ubuntu_ci, system, capsys):
    system.add(3, **COMPLETE)
    assert ubuntu_ci("wait", 3, "--timeout", "0", "--json") == Exit.OK
    assert json.loads(capsys.readouterr().out)["state"] == "Complete"


@pytest.mark.parametrize("time", ["x", "-1", "1d", ""])
def test_a_time_that_is_none_is_refused(ubuntu_ci, time):
    assert ubuntu_ci("wait", 3, f"--timeout={time}") == Exit.USAGE


def test_a_retry_says_the_number_of_the_new_ticket(ubuntu_ci, system, capsys):
    system.add(3, **FAILED)
    assert ubuntu_ci("retry", 3) == Exit.OK
    assert capsys.readouterr().out == "ticket 4 repeats ticket 3; see: ubuntu-ci watch 4\n"
    assert ubuntu_ci("retry", 3, "--json") == Exit.OK
    assert json.loads(capsys.readouterr().out) == {"id": 4, "retry_of": 3}


def test_a_retry_can_be_followed(ubuntu_ci, system, capsys):
    system.add(3, **FAILED)
    system.coming = [BUILDING, COMPLETE | {"message": ""}]
    assert ubuntu_ci("retry", 3, "--follow") == Exit.OK
    assert capsys.readouterr().out.splitlines()[-1] == "ticket 4 Complete"


def test_a_retry_that_is_refused_says_why(ubuntu_ci, system, capsys):
    system.refuse["POST ticket/3/retry/"] = (409, "ticket 3 has landed")
    assert ubuntu_ci("retry", 3) == Exit.REFUSED
    assert capsys.readouterr().err == "ubuntu-ci: ticket 3 has landed\n"
