"""`ubuntu-ci status`, `update_ticket`, `cancel` and `get_image`."""

from __future__ import annotations

import json
import subprocess

import pytest

from cli.exit_codes import Exit
from tests.cli.conftest import UBUNTU_CI
from tests.cli.ticket_system import IMAGE, change, shown


def test_status_without_flags_lists_all_tickets_newest_first(ubuntu_ci, system, capsys):
    for number in range(1, 6):
        system.add(number, title=f"Title {number}", current_workflow_step="300")
    assert ubuntu_ci("status") == Exit.OK
    out, err = capsys.readouterr()
    assert [line.split() for line in out.splitlines()] == [
        [str(number), "Image", "Building", "alice@example.com", "Title", str(number)]
        for number in (5, 4, 3, 2, 1)
    ]
    assert err.split() == ["ID", "STATE", "OWNER", "TITLE"]


def test_status_of_all_tickets_as_json(ubuntu_ci, system, capsys):
    for number in range(1, 4):
        system.add(number)
    assert ubuntu_ci("status", "--json") == Exit.OK
    assert [ticket["id"] for ticket in json.loads(capsys.readouterr().out)] == [3, 2, 1]


def test_status_of_one_ticket_tells_everything(ubuntu_ci, system, capsys):
    upload = {"sourcepackage": "hello", "version": "2.10-4"}
    log = {"type": "LOGS", "name": "build.log", "url": "http://example.com/build.log"}
    system.add(
        3,
        current_workflow_step="999",
        status="999",
        failed_workflow_step="200",
        message="hello failed to build",
        log_url="http://example.com/build.log",
        history=[change("100", 0), change("200", 1), change("999", 3)],
        subtickets=[{"source_package_upload": upload, "artifacts": [log | {"type": "SPU"}, log]}],
    )
    assert ubuntu_ci("status", "3") == Exit.OK
    assert capsys.readouterr().out.splitlines() == [
        "ticket:   3  A title",
        "owner:    alice@example.com",
        "state:    Failed at Package Building",
        "message:  hello failed to build",
        "log:      http://example.com/build.log",
        "source:   hello 2.10-4",
        "took:     Queued 1 min 0 s",
        "took:     Package Building 2 min 0 s",
        "logs:     http://example.com/build.log",
    ]


def test_the_log_of_a_private_ticket_is_shown_by_the_url_that_reads_it(ubuntu_ci, system, capsys):
    log = "http://example.com/build.log"
    signed = f"{log}?signature=00ff"
    file = {"type": "LOGS", "name": "build.log", "reference": log, "url": signed}
    system.add(3, current_workflow_step="999", status="999", private=True, log_url=log, artifacts=[file])
    ubuntu_ci("status", "3")
    assert f"log:      {signed}" in capsys.readouterr().out.splitlines()


def test_status_of_one_ticket_as_json_is_what_the_server_said(ubuntu_ci, system, capsys):
    ticket = system.add(3, title="ünï \x1b[31m")
    assert ubuntu_ci("status", "3", "--json") == Exit.OK
    out = capsys.readouterr().out
    assert json.loads(out) == shown(ticket)
    assert "\x1b" not in out


def test_nothing_of_a_title_controls_the_terminal(ubuntu_ci, system, capsys):
    system.add(3, title="\x1b]0;evil\x07 \x9b31m \u202e")
    ubuntu_ci("status")
    ubuntu_ci("status", 3)
    out = capsys.readouterr().out
    assert not any(character in out for character in "\x1b\x07\x9b\u202e")


def test_an_update_changes_only_what_is_given(ubuntu_ci, system, capsys):
    ticket = system.add(3)
    assert ubuntu_ci("update_ticket", 3, "-t", "New", "-b", "9", "-d", "", "-o", "bob@example.com") == Exit.OK
    assert (ticket["title"], ticket["bug_id"], ticket["owner"]) == ("New", "9", "bob@example.com")
    assert capsys.readouterr().err == "ticket 3 has a new title, description, bug, owner\n"
    assert ticket["description"] == ""
    assert ticket["current_workflow_step"] == "000"
    assert system.requests == ["PATCH ticket/3/"]


def test_an_update_can_queue_a_ticket_that_waits(ubuntu_ci, system):
    ticket = system.add(3)
    assert ubuntu_ci("update_ticket", 3, "--queue") == Exit.OK
    assert (ticket["current_workflow_step"], ticket["status"]) == ("100", "000")
    assert system.requests == ["PATCH updateticketstatus/3/"]


def test_an_update_of_nothing_is_refused(ubuntu_ci, system, capsys):
    assert ubuntu_ci("update_ticket", 3) == Exit.REFUSED
    assert "nothing to change" in capsys.readouterr().err
    assert system.requests == []


def test_a_ticket_is_cancelled(ubuntu_ci, system):
    ticket = system.add(3)
    assert ubuntu_ci("cancel", 3) == Exit.OK
    assert ticket["status"] == "998"


def test_an_ended_ticket_cannot_be_cancelled(ubuntu_ci, system, capsys):
    system.refuse["POST ticket/3/cancel/"] = (409, "ticket 3 has ended")
    assert ubuntu_ci("cancel", 3) == Exit.REFUSED
    assert capsys.readouterr().err == "ubuntu-ci: ticket 3 has ended\n"


@pytest.fixture
def image(system):
    url = f"{system.url}/api/v1/image/hello.qcow2?x=1"
    system.add(3, artifacts=[{"type": "IMAGE", "name": "ticket.3", "url": url}])


def test_an_image_is_fetched_under_its_own_name(ubuntu_ci, image, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert ubuntu_ci("get_image", 3) == Exit.OK
    assert (tmp_path / "hello.qcow2").read_bytes() == IMAGE
    assert capsys.readouterr().out == "hello.qcow2\n"
    assert not list(tmp_path.glob("*.part"))


def test_an_image_without_a_name_of_its_own_gets_the_tickets(ubuntu_ci, system, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    url = f"{system.url}/api/v1/image/..%2f..%2fevil.img"
    system.add(3, artifacts=[{"type": "IMAGE", "name": "x", "url": url}])
    assert ubuntu_ci("get_image", 3) == Exit.OK
    assert (tmp_path / "ticket.3.qcow2").read_bytes() == IMAGE


def test_an_image_is_put_where_it_is_wanted(ubuntu_ci, image, tmp_path):
    assert ubuntu_ci("get_image", 3, "-o", tmp_path / "mine") == Exit.OK
    assert (tmp_path / "mine").read_bytes() == IMAGE


@pytest.mark.parametrize("directory", [".", "images"])
def test_an_image_is_put_into_a_directory_under_its_own_name(
    ubuntu_ci, image, tmp_path, monkeypatch, capsys, directory
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / directory).mkdir(exist_ok=True)
    assert ubuntu_ci("get_image", 3, "-o", directory) == Exit.OK
    assert (tmp_path / directory / "hello.qcow2").read_bytes() == IMAGE
    assert not list(tmp_path.rglob("*.part"))


def test_an_image_is_printed_for_another_program(system, image):
    command = [UBUNTU_CI, "-u", system.url, "get_image", "3", "-o", "-"]
    assert subprocess.run(command, capture_output=True, timeout=60, check=True).stdout == IMAGE


def test_an_image_is_not_printed_with_json_around_it(ubuntu_ci, image, capsys):
    assert ubuntu_ci("get_image", 3, "-o", "-", "--json") == Exit.REFUSED
    assert "name a file" in capsys.readouterr().err


def test_an_image_is_not_fetched_when_a_directory_has_its_name(ubuntu_ci, system, image, tmp_path, capsys):
    (tmp_path / "hello.qcow2").mkdir()
    assert ubuntu_ci("get_image", 3, "-o", tmp_path) == Exit.ENGINE_FAILED
    assert "it is a directory" in capsys.readouterr().err
    assert not any("image/" in request for request in system.requests)


def test_an_image_that_breaks_off_leaves_no_file(ubuntu_ci, system, image, tmp_path, capsys):
    system.refuse["GET image/"] = (503, "the engine is busy")
    assert ubuntu_ci("get_image", 3, "-o", tmp_path / "mine") == Exit.NO_ANSWER
    assert not (tmp_path / "mine").exists()
    assert not (tmp_path / "mine.part").exists()


def test_an_image_cannot_go_where_nobody_may_write(ubuntu_ci, image, tmp_path, capsys):
    assert ubuntu_ci("get_image", 3, "-o", tmp_path / "no" / "mine") == Exit.ENGINE_FAILED
    assert "cannot write" in capsys.readouterr().err


def test_a_ticket_without_an_image_says_so(ubuntu_ci, system, capsys):
    system.add(3, current_workflow_step="200")
    assert ubuntu_ci("get_image", 3) == Exit.NOT_FOUND
    assert "ticket 3 has no image; its state is Package Building" in capsys.readouterr().err
