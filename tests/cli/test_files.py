"""`ubuntu-ci logs`, `results` and `artifacts`: what a ticket leaves behind."""

from __future__ import annotations

import json
import subprocess
from xml.etree import ElementTree as ET

import pytest

from cli import results
from cli.exit_codes import Exit
from cli.terminal import printable_log
from tests.cli.conftest import UBUNTU_CI

STREAM = (
    b"time: 2026-11-23 10:00:00.000000Z\ntest: hello.smoke\ntime: 2026-11-23 10:01:05.000000Z\n"
    b"success: hello.smoke\ntest: hello.hard\nfailure: hello.hard [ multipart\n"
    b"Content-Type: text/plain;charset=utf8\nreason\n6\r\n\x1b[31mX0\r\n]\n"
)
UPLOAD = {"sourcepackage": "hello", "version": "2.10-4"}
HOSTILE = b"one\n\x1b]0;evil\x07two \x1b[31mred\x1b[0m\r\n\xff\xe2\x80\xaethree"


@pytest.fixture
def ended(system):
    """A failed ticket with a file of every kind."""

    def file(kind, name, content):
        system.served[name] = content
        return {"type": kind, "name": name, "url": f"{system.url}/file/{name}?signature=00ff"}

    return system.add(
        3,
        current_workflow_step="999",
        status="999",
        failed_workflow_step="400",
        subtickets=[
            {
                "source_package_upload": UPLOAD,
                "artifacts": [
                    file("SPU", "hello_2.10-4.dsc", b"dsc"),
                    file("LOGS", "hello_2.10-4_amd64.build.log", b"Status: successful\n"),
                ],
            }
        ],
        artifacts=[
            file("RESULTS", "lander-1-test-hello.subunit", STREAM),
            file("RESULTS", "lander-1-test-hello.tar.gz", b"tar"),
            file("LOGS", "lander-1-test-hello-autopkgtest.log", HOSTILE),
            file("LOGS", "lander-test.json", b"{}"),
            file("LOGS", "lander-1-image.log", b"Unpacking hello\n"),
            file("LOGS", "lander-1-image.manifest", b"hello 2.10-4\n"),
            file("IMAGE", "ticket.3", b"QFI"),
        ],
    )


def test_all_logs_are_printed_in_the_order_of_the_stages(ubuntu_ci, ended, capsys):
    assert ubuntu_ci("logs", 3) == Exit.OK
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line.startswith("==>")] == [
        "==> hello_2.10-4_amd64.build.log <==",
        "==> lander-1-image.log <==",
        "==> lander-1-test-hello-autopkgtest.log <==",
    ]
    assert "Unpacking hello" in lines


def test_the_log_of_one_stage_is_printed_alone(ubuntu_ci, ended, capsys):
    assert ubuntu_ci("logs", 3, "build") == Exit.OK
    assert capsys.readouterr().out == "Status: successful\n"


def test_nothing_of_a_log_controls_the_terminal(ubuntu_ci, ended, capsys):
    assert ubuntu_ci("logs", 3, "test") == Exit.OK
    assert capsys.readouterr().out == "one\n\ufffd]0;evil\ufffdtwo red\n\ufffd\ufffdthree\n"


def test_letters_of_all_languages_stay():
    assert printable_log("Grüße,\t你好 ✓\n") == "Grüße,\t你好 ✓\n"


def test_a_stage_without_a_log_says_so(ubuntu_ci, system, capsys):
    system.add(3, current_workflow_step="200", status="100")
    assert ubuntu_ci("logs", 3, "image") == Exit.NOT_FOUND
    assert capsys.readouterr().err == (
        "ubuntu-ci: ticket 3 has no log of the stage image now; its state is Package Building; "
        "follow it with: ubuntu-ci logs --follow 3\n"
    )


def test_following_prints_each_line_once_stage_by_stage(ubuntu_ci, system, capsys):
    system.add(3, current_workflow_step="200", status="100")
    first = "== reserve: COMPLETED\nT reserved\n== build: RUNNING\nT building \x1b[31m\n"
    second = f"{first}T built\n== image: RUNNING\nT image\n".replace("build: RUNNING", "build: COMPLETED")
    system.consoles = [first, second]
    system.coming = [{}, {"current_workflow_step": "1000", "status": "1000"}]
    assert ubuntu_ci("logs", "--follow", 3) == Exit.OK
    assert capsys.readouterr().out.splitlines() == [
        "reserve: T reserved",
        "build: T building \ufffd[31m",
        "build: T built",
        "image: T image",
        "ticket 3 Complete",
    ]


def test_following_one_stage_leaves_the_others_out(ubuntu_ci, system, capsys):
    system.add(3, current_workflow_step="1000", status="1000")
    system.consoles = ["== reserve: COMPLETED\nT reserved\n== build: COMPLETED\nT built\n"]
    ubuntu_ci("logs", "-f", 3, "build")
    assert capsys.readouterr().out.splitlines() == ["build: T built", "ticket 3 Complete"]


def test_following_a_ticket_whose_job_is_not_to_be_seen_tells_its_messages(ubuntu_ci, system, capsys):
    system.add(3, current_workflow_step="200", status="100", message="hello: building")
    system.coming = [{}, {}, {"current_workflow_step": "1000", "status": "1000", "message": ""}]
    ubuntu_ci("logs", "-f", 3)
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["Package Building: hello: building", "Complete", "ticket 3 Complete"]


@pytest.mark.parametrize(
    ("stage", "line"), [("build", "Package Building: hello"), ("image", "Image Building")]
)
def test_following_one_stage_of_such_a_ticket_tells_the_messages_of_that_stage(
    ubuntu_ci, system, capsys, stage, line
):
    system.add(3, current_workflow_step="200", status="100", message="hello")
    image = {"current_workflow_step": "300", "message": ""}
    system.coming = [image, {"current_workflow_step": "1000", "status": "1000"}]
    ubuntu_ci("logs", "-f", 3, stage)
    assert capsys.readouterr().out.splitlines() == [line, "ticket 3 Complete"]


@pytest.mark.parametrize("away", ["GET job/?", "GET job/4/console/"])
def test_following_goes_on_while_the_lander_does_not_answer(ubuntu_ci, system, capsys, away):
    system.add(3, current_workflow_step="200", status="100")
    system.consoles = ["== build: RUNNING\nT building\n"]
    system.coming = [{}, {}, {"current_workflow_step": "1000", "status": "1000"}]
    system.unavailable = {away: 2}
    assert ubuntu_ci("logs", "-f", 3) == Exit.OK
    assert capsys.readouterr().out.splitlines() == ["build: T building", "ticket 3 Complete"]


def test_results_are_a_table_for_people(ubuntu_ci, ended, capsys):
    assert ubuntu_ci("results", 3) == Exit.OK
    out, err = capsys.readouterr()
    assert [line.split(maxsplit=1)[0] for line in out.splitlines()] == ["passed", "failed"]
    assert "1 min 5 s  hello.smoke" in out
    assert "hello.hard: \ufffd[31mX" in out
    assert err == "1 passed, 1 failed\n"


def test_results_are_json_for_programs(ubuntu_ci, ended, capsys):
    assert ubuntu_ci("results", 3, "--json") == Exit.OK
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert [(test["test"], test["outcome"], test["seconds"]) for test in json.loads(out)] == [
        ("hello.smoke", "passed", 65),
        ("hello.hard", "failed", 0),
    ]


def test_results_are_junit_xml_for_other_tools(ubuntu_ci, ended, capsys):
    assert ubuntu_ci("results", 3, "--format", "junit") == Exit.OK
    suite = ET.fromstring(capsys.readouterr().out)
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")


def test_a_subunit_stream_comes_out_byte_by_byte(system, ended):
    command = [UBUNTU_CI, "-u", system.url, "results", "3", "--format", "subunit"]
    assert subprocess.run(command, capture_output=True, check=True).stdout == STREAM


def test_a_ticket_without_results_says_so(ubuntu_ci, system, capsys):
    system.add(3, current_workflow_step="200")
    assert ubuntu_ci("results", 3) == Exit.NOT_FOUND
    assert "ticket 3 has no test results; its state is Package Building" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["logs", "results"])
def test_a_file_that_breaks_off_is_an_error_in_one_sentence(ubuntu_ci, ended, system, capsys, command):
    system.broken = ["GET file/lander-1-test-hello"]
    assert ubuntu_ci(command, 3) == Exit.NO_ANSWER
    err = capsys.readouterr().err
    assert err.startswith(f"ubuntu-ci: {system.url} broke off in the middle of its answer\n")


def test_results_that_are_too_large_are_refused_rather_than_cut(ubuntu_ci, ended, capsys, monkeypatch):
    monkeypatch.setattr(results, "MAX_STREAM_BYTES", 100)
    assert ubuntu_ci("results", 3) == Exit.ENGINE_FAILED
    out, err = capsys.readouterr()
    assert out == ""
    assert "is larger than" in err
    assert "00ff" not in err


def test_files_are_listed_with_their_type_and_address(ubuntu_ci, ended, capsys):
    assert ubuntu_ci("artifacts", 3) == Exit.OK
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert len(rows) == 9
    assert ["SPU", "hello_2.10-4.dsc"] in [row[:2] for row in rows]
    assert ubuntu_ci("artifacts", 3, "--json") == Exit.OK
    assert {a["name"] for a in json.loads(capsys.readouterr().out)} >= {"ticket.3", "lander-1-image.log"}


def test_all_files_are_fetched_into_a_directory(ubuntu_ci, ended, system, tmp_path, capsys):
    target = tmp_path / "new" / "files"
    assert ubuntu_ci("artifacts", 3, "--download", target) == Exit.OK
    assert {path.name: path.read_bytes() for path in target.iterdir()} == {
        name if name != "ticket.3" else "ticket.3.qcow2": content for name, content in system.served.items()
    }


def test_names_of_files_cannot_leave_the_directory(ubuntu_ci, system, tmp_path, capsys):
    system.served = {"x": b"x"}
    names = ["../../evil", "same.log", "same.log", ".hidden", "\x1b[31m", "/etc/passwd"]
    system.add(3, artifacts=[{"type": "LOGS", "name": n, "url": f"{system.url}/file/x"} for n in names])
    target = tmp_path / "files"
    assert ubuntu_ci("artifacts", 3, "--download", target, "--json") == Exit.OK
    assert sorted(path.name for path in target.iterdir()) == [
        "3-same.log",
        "file-1",
        "file-4",
        "file-5",
        "file-6",
        "same.log",
    ]
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "config") == ["files"]
    assert len(json.loads(capsys.readouterr().out)) == 6


def test_a_directory_that_cannot_be_made_is_named(ubuntu_ci, ended, tmp_path, capsys):
    (tmp_path / "file").touch()
    assert ubuntu_ci("artifacts", 3, "--download", tmp_path / "file") == Exit.ENGINE_FAILED
    assert f"cannot write to {tmp_path / 'file'}" in capsys.readouterr().err


def test_letters_that_a_locale_lacks_do_not_end_a_command(system):
    system.add(3, title="Grüße, 你好")
    environment = {"PYTHONIOENCODING": "latin-1", "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [UBUNTU_CI, "-u", system.url, "status"], capture_output=True, check=True, env=environment
    )
    assert "Grüße, ??".encode("latin-1") in done.stdout


def test_nothing_is_coloured_where_nobody_looks(system, ended):
    for command in (("status",), ("watch", "3"), ("results", "3"), ("nonsense",)):
        done = subprocess.run([UBUNTU_CI, "-u", system.url, *command], capture_output=True, check=False)
        assert b"\x1b" not in done.stdout + done.stderr
