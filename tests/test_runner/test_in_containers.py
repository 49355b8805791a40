"""Whole requests with the real autopkgtest over ssh, on containers instead of booted machines."""

from __future__ import annotations

import io
import tarfile
import threading
import time
from typing import Any

import pytest

from ci_utils.errors import Cancelled, StageFailed
from test_runner.domain import autopkgtest
from tests.test_runner.sources import make_source

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.timeout(1200)]

GOOD = "Tests: works\nDepends:\n"
MIXED = "Tests: works, breaks\nDepends:\n\nTests: absent\nDepends:\nRestrictions: needs-reboot\n"


def read_url(data_stores, url: str) -> bytes:
    container, name = data_stores.locate(url)
    return bytes(container.get_file(name))


def result_of(failure: pytest.ExceptionInfo[StageFailed]) -> Any:
    return failure.value.result


def test_a_passing_source_is_a_success(run_tests, sources, data_stores, said, machines, tmp_path):
    make_source(sources, "good", GOOD, {"works": "test $(id -un) != root; echo fine"})
    result = run_tests("good")
    assert (result["status"], result["test_result"]) == ("SUCCESS", "PASSED")
    assert (result["results"]["passed"], result["results"]["failed"]) == (1, 0)
    assert result["results"]["runs_on"] == "container"
    assert result["results"]["sources"]["good"]["version"] == "1.0"
    (stream,) = result["test_result_urls"]
    assert stream.endswith("/ticket.1.test-runner/lander-1-test-good.subunit")
    assert b"successful: good.works" in read_url(data_stores, stream)
    assert [url.rpartition("/")[2] for url in result["logs"]] == [
        "lander-1-test-good-autopkgtest.log",
        "lander-1-test-console.log",
    ]
    assert said[0] == ("unpacking the source package good", None, None)
    assert ("testing good: works", 1, 1) in said
    assert machines.swept == ["test-lander-1-test"]
    assert list((tmp_path / "work").iterdir()) == []


def test_the_last_test_is_reported_however_short_it_was(run_tests, sources, said, monkeypatch):
    monkeypatch.setattr(autopkgtest, "READ_EVERY_SECONDS", 1000)
    make_source(sources, "good", GOOD, {"works": "true"})
    run_tests("good")
    assert said[-1] == ("testing good: works", 1, 1)


def test_a_failing_test_fails_the_request_and_is_named(run_tests, sources, data_stores, said):
    make_source(sources, "mixed", MIXED, {"works": "true", "breaks": "echo why >&2; exit 3", "absent": ""})
    make_source(sources, "good", GOOD, {"works": "true"})
    with pytest.raises(StageFailed) as failure:
        run_tests("mixed", "good")
    assert failure.value.message == ("DEP-8 tests failed on the image: mixed.breaks (non-zero exit status 3)")
    result = result_of(failure)
    assert (result["status"], result["test_result"]) == ("FAIL", "FAILED")
    counts = {name: result["results"][name] for name in ("passed", "failed", "skipped")}
    assert counts == {"passed": 2, "failed": 1, "skipped": 1}
    assert result["results"]["sources"]["good"]["verdict"] == "passed"
    assert len(result["test_result_urls"]) == 2
    assert b"why" in read_url(data_stores, result["test_result_urls"][0])
    assert {total for _, current, total in said if current is not None} == {4}


def test_a_source_without_tests_is_no_pass_and_no_failure(run_tests, sources, data_stores):
    make_source(sources, "plain", "")
    result = run_tests("plain")
    assert (result["status"], result["test_result"]) == ("SUCCESS", "NO TESTS")
    assert result["results"]["sources"]["plain"]["verdict"] == "no tests"
    assert b"skip: plain.no-tests" in read_url(data_stores, result["test_result_urls"][0])


def test_without_the_tool_that_finds_tests_nobody_hears_that_there_are_none(run_tests, sources, monkeypatch):
    make_source(sources, "plain", "")
    monkeypatch.setattr("test_runner.domain.source_tree.shutil.which", lambda name: None)
    with pytest.raises(StageFailed, match=r"^autodep8 is not installed; install it with: apt-get install"):
        run_tests("plain")


def test_an_image_without_sources_is_booted_all_the_same(run_tests, machines):
    assert run_tests()["status"] == "SUCCESS"
    assert len(machines.needs) == 1


def test_the_machine_is_told_what_the_tests_will_ask_for(run_tests, sources, machines):
    make_source(sources, "good", "Tests: works\nDepends: @, jq | gojq\n", {"works": "true"})
    with pytest.raises(StageFailed, match=r"good\.works \(Test dependencies are unsatisfiable\)"):
        run_tests("good")
    assert machines.needs[0].dependencies == ["good", "jq | gojq"]
    assert machines.needs[0].archives == ["ppa:local/ci_pool-001"]


def test_a_dead_machine_is_not_a_failed_test(run_tests, sources):
    make_source(
        sources, "deadly", "Tests: dies\nDepends:\nRestrictions: needs-root\n", {"dies": "kill -9 -1"}
    )
    make_source(sources, "good", GOOD, {"works": "true"})
    with pytest.raises(
        StageFailed, match=r"^the machine under test failed while the tests of deadly ran"
    ) as failure:
        run_tests("deadly", "good")
    assert list(result_of(failure)["results"]["sources"]) == ["deadly"]


def test_what_a_hostile_machine_sends_stays_in_the_output_directory(run_tests, sources, data_stores):
    script = "ln -s /etc/passwd $AUTOPKGTEST_ARTIFACTS/passwd; echo data > $AUTOPKGTEST_ARTIFACTS/data"
    make_source(sources, "sly", GOOD, {"works": script})
    packed = read_url(data_stores, run_tests("sly")["artifacts"][0])
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        names = {member.name: member for member in tar.getmembers()}
    assert names["output/artifacts/passwd"].issym()
    assert {(member.uid, member.mode & 0o7000) for member in names.values()} == {(0, 0)}


def test_code_in_a_dependency_is_not_run_where_it_reaches_the_engine(run_tests, sources, tmp_path):
    mark = tmp_path / "mark"
    mark.touch()
    mark.chmod(0o666)
    depends = f"good'); system(\"echo reached > {mark}\"); ('"
    make_source(sources, "sly", f"Tests: works\nDepends: {depends}\n", {"works": "true"})
    with pytest.raises(StageFailed, match=r"sly\.setup \(InvalidControl test works"):
        run_tests("sly")
    assert mark.read_text() == ""


def test_tests_that_take_too_long_are_ended(run_tests, sources, data_stores):
    make_source(sources, "slow", GOOD, {"works": "sleep 600"})
    with pytest.raises(StageFailed, match="the tests of slow did not end within 5 seconds") as failure:
        run_tests("slow", timeout=5)
    assert result_of(failure)["status"] == "FAIL"
    assert len(result_of(failure)["logs"]) == 2
    assert result_of(failure)["failure_log"].endswith("-slow-autopkgtest.log")


def test_the_log_that_is_named_is_that_of_the_tests_that_failed(run_tests, sources):
    make_source(sources, "my-bad", GOOD, {"works": "true"})
    make_source(sources, "bad", GOOD, {"works": "false"})
    with pytest.raises(StageFailed) as failure:
        run_tests("my-bad", "bad")
    assert result_of(failure)["failure_log"].endswith("/lander-1-test-bad-autopkgtest.log")


def test_a_cancelled_request_ends_soon_and_leaves_nothing(run_tests, sources, said, tmp_path):
    make_source(sources, "slow", GOOD, {"works": "sleep 600"})
    stop = threading.Event()

    def stop_once_tested() -> None:
        while not any(message == "testing slow: works" for message, _, _ in said):
            time.sleep(0.1)
        stop.set()

    threading.Thread(target=stop_once_tested, daemon=True).start()
    with pytest.raises(Cancelled):
        run_tests("slow", cancelled=stop.is_set)
    assert list((tmp_path / "work").iterdir()) == []
    assert list((tmp_path / "machines").iterdir()) == []


def test_a_source_that_no_archive_has_is_named(run_tests):
    with pytest.raises(StageFailed, match="no archive of the ticket has the source package gone"):
        run_tests("gone")
