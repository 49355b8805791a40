"""`ubuntu-ci create_ticket`."""

from __future__ import annotations

import subprocess

import pytest

from cli.exit_codes import Exit
from tests.ci_utils.source_package.uploads import Upload
from tests.cli.conftest import UBUNTU_CI
from tests.cli.ticket_system import change


@pytest.fixture
def hello(tmp_path, key):
    return Upload().write(tmp_path / "upload", key)


def test_a_ticket_is_made_with_all_its_files_and_queued(ubuntu_ci, system, hello, capsys):
    options = ("-t", "My title", "-d", "Why", "-b", "123", "-o", "bob@example.com")
    assert (
        ubuntu_ci("create_ticket", *options, "-s", hello, "-a", "hello", "-r", "nano", "-a", "bc") == Exit.OK
    )
    dsc = hello.parent / "hello_2.10-4.dsc"
    assert system.bundle == {
        "owner": "bob@example.com",
        "title": "My title",
        "description": "Why",
        "bug_id": "123",
        "add_packages": ["hello", "bc"],
        "remove_packages": ["nano"],
        "sources": [{"changes_name": hello.name, "changes": hello.read_text(), "dsc": dsc.read_text()}],
    }
    assert system.files == {path.name: path.read_bytes() for path in hello.parent.iterdir()}
    assert system.tickets[7]["current_workflow_step"] == "100"
    out, err = capsys.readouterr()
    assert out == f"ticket 7 is queued: {system.url}/api/v1/fullticket/7/\n"
    assert "sending hello_2.10-4.dsc" in err


def test_what_is_not_given_comes_from_the_uploads(ubuntu_ci, system, hello, tmp_path, key):
    bye = Upload(source="bye", version="1-1").write(tmp_path / "other", key)
    assert ubuntu_ci("create_ticket", "-s", hello, bye) == Exit.OK
    assert system.bundle["title"] == "hello 2.10-4, bye 1-1"
    assert system.bundle["owner"] == "alice@example.com"
    assert system.bundle["description"].count("* Greet the world.") == 2
    assert system.bundle["bug_id"] == ""
    assert "private" not in system.bundle
    assert len(system.files) == 8


def test_the_owner_can_come_from_debemail(ubuntu_ci, system, hello, monkeypatch):
    monkeypatch.setenv("DEBEMAIL", "Carol <carol@example.com>")
    ubuntu_ci("create_ticket", "-s", hello)
    assert system.bundle["owner"] == "carol@example.com"


def test_a_ticket_can_be_private(ubuntu_ci, system, hello):
    ubuntu_ci("create_ticket", "--private", "-s", hello)
    assert system.bundle["private"] is True


def test_errors_only_leaves_the_bare_number(ubuntu_ci, hello, capsys):
    assert ubuntu_ci("-v", "1", "create_ticket", "-s", hello) == Exit.OK
    assert capsys.readouterr() == ("7\n", "")


def test_very_verbose_tells_requests_but_no_signature(system, hello):
    command = [UBUNTU_CI, "-u", system.url, "create_ticket", "-v", "3", "-s", hello]
    err = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    assert '"POST /api/v1/bundle/ HTTP/1.1" 201' in err
    assert "signature=…" in err
    assert "00ff" not in err


def test_with_wait_the_ticket_is_not_queued(ubuntu_ci, system, hello, capsys):
    assert ubuntu_ci("create_ticket", "--wait", "-s", hello) == Exit.OK
    assert system.tickets[7]["current_workflow_step"] == "000"
    assert "ubuntu-ci update_ticket 7 --queue" in capsys.readouterr().err


def test_a_file_that_the_server_asks_for_by_itself_is_not_sent(ubuntu_ci, system, hello):
    ubuntu_ci("create_ticket", "-s", hello)
    assert not any("passwd" in request for request in system.requests)


def test_all_that_is_wrong_is_said_before_anything_is_sent(ubuntu_ci, system, hello, tmp_path, key, capsys):
    unsigned = Upload(source="bye").write(tmp_path / "unsigned", None)
    again = Upload(version="2.10-5").write(tmp_path / "again", key)
    broken = Upload(source="broken").write(tmp_path / "broken", key)
    (broken.parent / "broken_2.10-4.dsc").write_bytes(b"changed")
    (broken.parent / "broken_2.10.orig.tar.gz").unlink()
    missing = tmp_path / "missing_1_source.changes"
    code = ubuntu_ci("create_ticket", "-s", hello, unsigned, "-s", again, broken, missing, tmp_path / "a.dsc")
    assert code == Exit.REFUSED
    assert system.requests == []
    lines = capsys.readouterr().err.splitlines()
    assert [line.removeprefix("ubuntu-ci: ") for line in lines] == [
        f"{unsigned.name} is not signed; sign it with: debsign {unsigned.name}",
        f"broken_2.10-4.dsc has 7 bytes, but {broken.name} says {_dsc_size(broken)}",
        f"broken_2.10.orig.tar.gz is missing; {broken.name} lists it",
        f"cannot read {missing}: No such file or directory",
        f"cannot read {tmp_path / 'a.dsc'}: No such file or directory",
        "hello is given 2 times; a ticket takes one version of each source",
    ]


def _dsc_size(changes):
    line = next(line for line in changes.read_text().split("\n") if line.endswith(".dsc"))
    return line.split()[1]


def test_what_the_server_refuses_is_said_in_its_words(ubuntu_ci, system, hello, capsys):
    system.refuse["POST bundle/"] = (400, "hello 2.10-4 is not higher than the published 2.11-1")
    assert ubuntu_ci("create_ticket", "-s", hello) == Exit.REFUSED
    assert "ubuntu-ci: hello 2.10-4 is not higher than the published 2.11-1" in capsys.readouterr().err
    assert system.files == {}


def test_a_ticket_refused_at_the_queue_does_not_linger(ubuntu_ci, system, hello):
    system.refuse["PATCH updateticketstatus/7/"] = (400, "the package nope of -a is not known")
    assert ubuntu_ci("create_ticket", "-s", hello) == Exit.REFUSED
    assert system.tickets[7]["status"] == "998"


def test_a_ticket_that_may_be_queued_is_left_alone(ubuntu_ci, system, hello, capsys):
    system.unavailable["PATCH updateticketstatus/7/"] = 1
    assert ubuntu_ci("create_ticket", "-s", hello) == Exit.NO_ANSWER
    assert system.tickets[7]["status"] == "000"
    assert "ubuntu-ci update_ticket 7 --queue" in capsys.readouterr().err


def test_a_ticket_is_asked_for_again_under_the_same_key_when_the_server_was_busy(ubuntu_ci, system, hello):
    system.unavailable["POST bundle/"] = 2
    assert ubuntu_ci("create_ticket", "-s", hello) == Exit.OK
    assert ubuntu_ci("create_ticket", "-s", hello) == Exit.OK
    first, second, third, another = system.keys
    assert first == second == third != another


def test_a_file_is_sent_again_when_the_server_was_busy(ubuntu_ci, system, hello):
    system.unavailable["PUT data/hello_2.10-4.dsc"] = 2
    assert ubuntu_ci("create_ticket", "-s", hello) == Exit.OK
    assert system.files["hello_2.10-4.dsc"] == (hello.parent / "hello_2.10-4.dsc").read_bytes()


def test_a_ticket_whose_files_cannot_be_sent_is_cancelled(ubuntu_ci, system, hello):
    system.unavailable["PUT data/hello_2.10-4.dsc"] = 3
    assert ubuntu_ci("create_ticket", "-s", hello) == Exit.NO_ANSWER
    assert system.tickets[7]["status"] == "998"


def building(message):
    return {
        "current_workflow_step": "200",
        "status": "100",
        "message": message,
        "history": [change("000", 0), change("100", 1), change("200", 2)],
    }


COMPLETE = {
    "current_workflow_step": "1000",
    "status": "1000",
    "message": "",
    "history": [change("000", 0), change("100", 1), change("200", 2), change("300", 5), change("1000", 7)],
}


def test_following_shows_each_step_and_how_long_it_took(ubuntu_ci, system, hello, capsys):
    system.coming = [
        building("hello: building"),
        building("hello: building"),
        building("hello: built"),
        COMPLETE,
    ]
    assert ubuntu_ci("create_ticket", "-s", hello, "--follow") == Exit.OK
    out, err = capsys.readouterr()
    assert out.splitlines()[-1] == "ticket 7 Complete"
    assert err.count("Package Building: hello: building") == 1
    assert "Package Building: hello: built" in err
    assert [line.split() for line in err.splitlines()[-4:]] == [
        ["New", "1", "min", "0", "s"],
        ["Queued", "1", "min", "0", "s"],
        ["Package", "Building", "3", "min", "0", "s"],
        ["Image", "Building", "2", "min", "0", "s"],
    ]


def test_following_a_ticket_that_fails_tells_where_why_and_the_log(ubuntu_ci, system, hello, capsys):
    log = "http://example.com/log"
    system.coming = [
        {
            "current_workflow_step": "999",
            "status": "999",
            "failed_workflow_step": "200",
            "log_url": log,
            "message": "hello failed to build",
        }
    ]
    assert ubuntu_ci("create_ticket", "-s", hello, "--follow") == Exit.TICKET_FAILED
    assert capsys.readouterr().out.splitlines()[-2:] == [
        "ticket 7 Failed at Package Building: hello failed to build",
        f"log: {log}",
    ]


def test_following_a_ticket_that_is_cancelled_tells_so(ubuntu_ci, system, hello, capsys):
    system.coming = [{"current_workflow_step": "999", "status": "998"}]
    assert ubuntu_ci("create_ticket", "-s", hello, "--follow") == Exit.TICKET_CANCELLED
    assert capsys.readouterr().out.splitlines()[-1] == "ticket 7 Cancelled"


def test_following_goes_on_when_the_server_was_away(ubuntu_ci, system, hello, capsys):
    system.unavailable["GET fullticket/7/"] = 3
    system.coming = [COMPLETE]
    assert ubuntu_ci("create_ticket", "-s", hello, "--follow") == Exit.OK
    assert capsys.readouterr().err.count("the ticket goes on, asking again") == 1


def test_on_a_terminal_the_steps_are_drawn(ubuntu_ci, system, hello, capsys, monkeypatch):
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    system.coming = [building("hello: \x1b[31mbuilding"), COMPLETE]
    assert ubuntu_ci("create_ticket", "-s", hello, "--follow") == Exit.OK
    out, err = capsys.readouterr()
    assert "✓  Package Building" in out
    assert "3 min 0 s" in out
    assert "\x1b[3" not in out
    assert "sending hello_2.10-4.dsc" in err
