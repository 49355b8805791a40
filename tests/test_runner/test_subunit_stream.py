"""The subunit v1 stream is read by the filters that people use."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from test_runner.domain.results import without_tests
from test_runner.domain.subunit_stream import subunit_v1
from tests.test_runner.test_results import recorded

BIN = Path(sys.executable).parent
STARTED_AT = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)


def through(*filters: str, stream: bytes) -> subprocess.CompletedProcess[bytes]:
    """What comes out of a row of filters."""
    done = subprocess.CompletedProcess[bytes]([], 0, stdout=stream)
    for name in filters:
        done = subprocess.run([BIN / name], input=done.stdout, capture_output=True, check=False)
    return done


@pytest.fixture(scope="module")
def mixed() -> bytes:
    return subunit_v1(recorded("mixed"), started_at=STARTED_AT)


def test_it_is_text_that_begins_with_the_first_test(mixed):
    assert mixed.startswith(b"time: 2026-11-23 10:00:00.000000Z\ntest: mixed.absent\n")


def test_every_test_comes_out_with_its_outcome(mixed):
    shown = through("subunit-1to2", "subunit2pyunit", stream=mixed).stderr.decode()
    assert "mixed.passing ... ok" in shown
    assert "mixed.failing ... FAIL" in shown
    assert "mixed.unstable ... expected failure" in shown
    assert "mixed.gone ... skipped 'exit status 77 and marked as skippable'" in shown
    assert "about to fail" in shown
    assert "Ran 9 tests" in shown
    assert "FAILED (failures=3, skipped=2, expected failures=1)" in shown


def test_it_becomes_junit_xml(mixed):
    shown = through("subunit-1to2", "subunit2junitxml", stream=mixed).stdout.decode()
    assert 'failures="3"' in shown
    assert 'tests="9"' in shown


def test_a_pass_is_a_pass():
    stream = subunit_v1(recorded("passed"), started_at=STARTED_AT)
    done = through("subunit-1to2", "subunit2pyunit", stream=stream)
    assert (done.returncode, "\nOK" in done.stderr.decode()) == (0, True)


def test_a_source_without_tests_is_skipped_and_does_not_pass():
    stream = subunit_v1(without_tests("plain"), started_at=STARTED_AT)
    shown = through("subunit-1to2", "subunit2pyunit", stream=stream).stderr.decode()
    assert "plain.no-tests ... skipped 'the source package declares no DEP-8 tests'" in shown
