"""Reads the results of tests from subunit v1 streams, and gives them the form that other tools want.

Specification: "Exploiting Test Results". Streams are made of what tests
printed, so nothing in them is trusted to be well-formed.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import junitxml
import testtools
from subunit import DiscardStream, ProtocolTestCase

from ci_utils.errors import InvalidRequest


@dataclass(frozen=True)
class TestOutcome:
    """One test: `outcome` is passed, failed, skipped or flaky; `details` are texts by name."""

    name: str
    outcome: str
    seconds: float | None = None
    details: Mapping[str, str] = field(default_factory=dict)

    @property
    def reason(self) -> str:
        """Why it failed or was skipped, in one line, as far as the test says."""
        return " ".join(self.details.get("reason", "").split())


def read_subunit(stream: bytes) -> list[TestOutcome]:
    """The tests of a stream in their order; `InvalidRequest` if it cannot be read."""
    collected = _Collector()
    _play(stream, collected)
    return collected.tests


def junit_xml(streams: Iterable[bytes]) -> str:
    """All tests of these streams as one JUnit XML document; `InvalidRequest` if one cannot be read."""
    text = io.StringIO()
    result = junitxml.JUnitXmlResult(text)
    result.startTestRun()
    for stream in streams:
        _play(stream, result)
    result.stopTestRun()
    return text.getvalue()


def _play(stream: bytes, result: Any) -> None:
    try:
        ProtocolTestCase(io.BytesIO(stream), passthrough=DiscardStream()).run(result)
    except Exception as error:  # the library promises nothing of what it raises for streams that are none
        raise InvalidRequest(
            "the results are no subunit stream that can be read; fetch them as they are"
        ) from error


class _Collector(testtools.TestResult):  # type: ignore[misc]  # the library has no types
    """Keeps what a stream says of each test."""

    def __init__(self) -> None:
        super().__init__()
        self.tests: list[TestOutcome] = []
        self._now: datetime | None = None
        self._began: datetime | None = None

    def time(self, a_datetime: datetime | None) -> None:
        self._now = a_datetime

    def startTest(self, test: Any) -> None:  # noqa: N802 -- unittest's name
        self._began = self._now

    def stopTest(self, test: Any) -> None:  # noqa: N802 -- unittest's name
        """Nothing is left to do."""

    def addSuccess(self, test: Any, details: Any = None) -> None:  # noqa: N802
        self._add(test, "passed", details)

    def addFailure(self, test: Any, err: object = None, details: Any = None) -> None:  # noqa: N802
        self._add(test, "failed", details)

    def addError(self, test: Any, err: object = None, details: Any = None) -> None:  # noqa: N802
        self._add(test, "failed", details)

    def addSkip(self, test: Any, reason: str = "", details: Any = None) -> None:  # noqa: N802
        self._add(test, "skipped", details)

    def addExpectedFailure(self, test: Any, err: object = None, details: Any = None) -> None:  # noqa: N802
        self._add(test, "flaky", details)

    def addUnexpectedSuccess(self, test: Any, details: Any = None) -> None:  # noqa: N802
        self._add(test, "passed", details)

    def _add(self, test: Any, outcome: str, details: Mapping[str, Any] | None) -> None:
        seconds = (self._now - self._began).total_seconds() if self._now and self._began else None
        texts = {name: content.as_text() for name, content in (details or {}).items()}
        self.tests.append(TestOutcome(test.id(), outcome, seconds, texts))
