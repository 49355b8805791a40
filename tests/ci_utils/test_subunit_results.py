"""Subunit streams as lists of tests and as JUnit XML."""

from __future__ import annotations

from datetime import UTC, datetime
from xml.etree import ElementTree as ET

import pytest

from ci_utils.errors import CIError
from ci_utils.subunit_results import junit_xml, read_subunit
from test_runner.domain.subunit_stream import subunit_v1
from tests.test_runner.test_results import recorded


@pytest.fixture(scope="module")
def mixed() -> bytes:
    """What a test run of every kind of result leaves behind."""
    return subunit_v1(recorded("mixed"), started_at=datetime(2026, 11, 23, 10, 0, tzinfo=UTC))


def test_every_test_is_read_with_its_outcome_time_and_reason(mixed):
    expected = recorded("mixed")
    read = read_subunit(mixed)
    assert [(t.name, t.outcome, t.seconds, t.reason) for t in read] == [
        (f"mixed.{t.name}", t.outcome.value, t.seconds, " ".join(t.reason.split())) for t in expected.tests
    ]
    failing = next(test for test in read if test.name == "mixed.failing")
    assert "about to fail" in "".join(failing.details.values())


def test_streams_become_one_junit_document(mixed):
    suite = ET.fromstring(junit_xml([mixed, mixed]))
    assert (suite.get("tests"), suite.get("failures")) == ("18", "6")
    names = {f"{case.get('classname')}.{case.get('name')}" for case in suite.iter("testcase")}
    assert "mixed.failing" in names


def test_control_characters_of_tests_do_not_break_the_document():
    stream = b"test: a.b\x01c\nfailure: a.b\x01c [\n\x1b[31m \x00 ]]>\n]\n"
    assert ET.fromstring(junit_xml([stream])).get("failures") == "1"


@pytest.mark.parametrize("stream", [b"", b"no protocol\n", b"\xff\xfe\n", b"success: unknown\n"])
def test_what_is_no_stream_has_no_tests(stream):
    assert read_subunit(stream) == []


def test_a_stream_that_ends_in_a_test_counts_it_as_failed():
    assert [test.outcome for test in read_subunit(b"test: a.b\n")] == ["failed"]


def test_a_time_that_is_none_is_refused_in_a_sentence():
    with pytest.raises(CIError, match="no subunit stream that can be read"):
        read_subunit(b"time: yesterday\n")
