"""What real autopkgtest runs left behind becomes the right results; see `recorded/README.md`."""

from __future__ import annotations

import os
import shutil
import tracemalloc
from pathlib import Path

import pytest

from test_runner.domain import results
from test_runner.domain.results import Outcome, read_results, read_summary, without_tests

RECORDED = Path(__file__).parent / "recorded"
STATUS = {
    "passed": 0,
    "mixed": 14,
    "skipped": 8,
    "bad-control": 12,
    "missing-file": 12,
    "dead-machine": 16,
}


def recorded(run: str, *, status: int | None = None):
    output = RECORDED / run
    return read_results(run, output, output / "printed", status=STATUS[run] if status is None else status)


def outcomes(result) -> list[tuple[str, str]]:
    return [(test.name, test.outcome.value) for test in result.tests]


def test_a_passed_run():
    result = recorded("passed")
    assert outcomes(result) == [("command1", "passed")]
    assert (result.version, result.verdict, result.machine_failure) == ("1.0", "passed", "")


def test_every_way_a_test_can_end():
    result = recorded("mixed")
    assert outcomes(result) == [
        ("absent", "skipped"),
        ("passing", "passed"),
        ("failing", "failed"),
        ("noisy", "failed"),
        ("unstable", "flaky"),
        ("surface", "passed"),
        ("gone", "skipped"),
        ("who", "passed"),
        ("needing", "failed"),
    ]
    assert result.verdict == "failed"
    assert [test.name for test in result.tests if test.superficial] == ["surface"]


def test_reasons_and_output_are_attached_without_control_characters():
    tests = {test.name: test for test in recorded("mixed").tests}
    assert tests["failing"].reason == "non-zero exit status 3"
    assert tests["failing"].attachments["stdout"] == "about to fail\n"
    assert tests["failing"].attachments["stderr"] == "\ufffd[31mred \ufffd\n"
    assert tests["needing"].reason.startswith("Test dependencies are unsatisfiable")


def test_the_time_of_a_test_is_read_from_the_log():
    assert all(test.seconds > 0 for test in recorded("mixed").tests if test.name in ("passing", "failing"))


def test_a_run_without_a_test_that_says_something_is_no_pass():
    result = recorded("skipped")
    assert [test.outcome for test in result.tests] == [Outcome.SKIP, Outcome.SKIP]
    assert (result.verdict, result.failed) == ("no tests", False)


@pytest.mark.parametrize(
    ("run", "reason"),
    [("bad-control", "invalid dependency `in valid'"), ("missing-file", "notthere does not exist")],
)
def test_a_bad_package_is_a_failed_setup(run, reason):
    result = recorded(run)
    assert outcomes(result) == [("setup", "failed")]
    assert reason in result.tests[0].reason
    assert result.machine_failure == ""


def test_a_dead_machine_is_said_to_be_that():
    result = recorded("dead-machine")
    assert outcomes(result) == [("fine", "passed"), ("setup", "failed")]
    assert result.machine_failure == "testbed auxverb failed with exit code 255"


@pytest.mark.parametrize("status", [1, 4, 20, 137])
def test_a_status_that_the_results_do_not_explain_is_a_failure(status):
    result = recorded("passed", status=status)
    assert result.failed
    assert result.machine_failure == f"autopkgtest ended with status {status}"


def test_a_status_of_success_does_not_hide_a_failed_test():
    assert recorded("mixed", status=0).failed


def test_a_superficial_pass_alone_is_no_pass(tmp_path):
    (tmp_path / "summary").write_text("surface              PASS (superficial)\n")
    (tmp_path / "printed").touch()
    assert read_results("a", tmp_path, tmp_path / "printed", status=8).verdict == "no tests"


def test_a_source_without_tests_is_a_skip():
    result = without_tests("a")
    assert outcomes(result) == [("no-tests", "skipped")]
    assert result.verdict == "no tests"


def test_a_summary_that_is_no_summary_has_no_tests():
    assert read_summary("\x00\n\nPASS\n") == ([], "")


def test_links_pipes_and_paths_of_a_hostile_machine_are_not_followed(tmp_path):
    shutil.copytree(RECORDED / "passed", tmp_path / "output")
    output, secret = tmp_path / "output", tmp_path / "secret"
    secret.write_text("secret")
    (output / "command1-stdout").symlink_to(secret)
    os.mkfifo(output / "command1-stderr")
    (output / "summary").write_text("command1 PASS\n../secret PASS\n")
    result = read_results("a", output, output / "printed", status=0)
    assert "secret" not in str([test.attachments for test in result.tests])
    assert result.tests[0].attachments == {}


def test_only_the_end_of_a_long_output_is_attached(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "MAX_ATTACHED_BYTES", 10)
    (tmp_path / "summary").write_text("one FAIL badly\n")
    (tmp_path / "one-stdout").write_text("x" * 100 + "the end\n")
    (tmp_path / "printed").touch()
    result = read_results("a", tmp_path, tmp_path / "printed", status=4)
    assert result.tests[0].attachments["stdout"] == "[the first 98 bytes are left out]\nxxthe end\n"


def test_characters_that_act_on_terminals_or_break_xml_are_replaced():
    assert results.printable("a\x9b31m\uffff\ufffeb\x85\tc") == "a\ufffd31m\ufffd\ufffdb\ufffd\tc"


def test_the_output_of_all_tests_together_is_bounded(tmp_path):
    (tmp_path / "summary").write_text("a  PASS\n" * 1000)
    (tmp_path / "a-stdout").write_bytes(b"x" * results.MAX_ATTACHED_BYTES)
    (tmp_path / "printed").touch()
    result = read_results("a", tmp_path, tmp_path / "printed", status=0)
    attached = sum(len(text) for test in result.tests for text in test.attachments.values())
    assert len(result.tests) == 1000
    assert results.MAX_ALL_ATTACHED // 2 < attached < 2 * results.MAX_ALL_ATTACHED


def test_a_log_without_line_ends_is_read_in_pieces(tmp_path):
    log = tmp_path / "printed"
    with log.open("wb") as file:
        file.truncate(50 << 20)
    tracemalloc.start()
    results._seconds_by_test(log)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10 << 20
