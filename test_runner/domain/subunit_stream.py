"""Writes results as a subunit v1 stream.

Specification: "Exploiting Test Results". One test per DEP-8 test, named
SOURCE.TEST, read by `subunit-1to2 | subunit2pyunit` and all other filters.
"""

from __future__ import annotations

import io
from datetime import datetime, timedelta

from subunit import RemotedTestCase, TestProtocolClient
from testtools.content import text_content

from test_runner.domain.results import Outcome, SourceResult, TestResult


def subunit_v1(result: SourceResult, *, started_at: datetime) -> bytes:
    """The stream of a source's tests; their times count from `started_at`."""
    stream = io.BytesIO()
    client = TestProtocolClient(stream)
    now = started_at
    for test in result.tests:
        case = RemotedTestCase(f"{result.source}.{test.name}")
        client.time(now)
        client.startTest(case)
        now += timedelta(seconds=test.seconds)
        client.time(now)
        _add(client, case, test)
        client.stopTest(case)
    return stream.getvalue()


def _add(client: TestProtocolClient, case: RemotedTestCase, test: TestResult) -> None:
    details = {name: text_content(text) for name, text in test.attachments.items()}
    details.setdefault("reason", text_content(test.reason))
    if test.outcome is Outcome.PASS:
        client.addSuccess(case, details=details)
    elif test.outcome is Outcome.SKIP:
        client.addSkip(case, details=details)
    elif test.outcome is Outcome.FLAKY:
        client.addExpectedFailure(case, details=details)
    else:
        client.addFailure(case, details=details)
