"""What autopkgtest's output directory says of each test.

The files are as hostile as the machine that the tests ran on: names are
checked, links are not followed, and no more than a bounded part is read.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path

from test_runner.domain.workshop import open_hostile

#: The name of the result that stands for preparing the tests.
SETUP = "setup"
ATTACHED = ("stdout", "stderr", "packages")
MAX_ATTACHED_BYTES = 256 << 10
#: Of all tests of a source together; what comes later is only in the stored output directory.
MAX_ALL_ATTACHED = 32 << 20
MAX_SUMMARY_BYTES = 1 << 20
MAX_TESTS = 10_000
MAX_LINE = 4096

#: Exit statuses of autopkgtest (its manual page): 0 all passed, 2 some skipped,
#: 4 a test failed, 6 both, 8 no tests, 12 and 14 a bad package; these two are no test results.
TESTBED_FAILED = 16
OTHER_FAILURE = 20

_RESULT = re.compile(r"(\S{1,200})\s+(PASS|FAIL|SKIP|FLAKY|BROKEN)\b\s*(.*)")
_BAD_PACKAGE = re.compile(r"(?:badpkg|erroneous package): *(.*)")
_TESTBED = re.compile(r"(?:testbed failure|quitting): *(.*)")
_TIMES = re.compile(r"autopkgtest \[(\d\d):(\d\d):(\d\d)\]: test (\S+): (\[-{23}|-{23}\])")
_CONTROL = {*range(32), *range(127, 160), 0xFFFE, 0xFFFF} - set(map(ord, "\t\n\r"))
_UNPRINTABLE = dict.fromkeys(_CONTROL, "\N{REPLACEMENT CHARACTER}")
DAY_SECONDS = 24 * 60 * 60


class Outcome(Enum):
    """How a test ended. FLAKY: it failed and is declared to do so now and then."""

    PASS = "passed"  # noqa: S105 -- no password
    FAIL = "failed"
    SKIP = "skipped"
    FLAKY = "flaky"


@dataclass(frozen=True)
class TestResult:
    """One DEP-8 test; `attachments` are texts by name."""

    name: str
    outcome: Outcome
    reason: str = ""
    seconds: float = 0
    attachments: Mapping[str, str] = field(default_factory=dict)

    @property
    def superficial(self) -> bool:
        """A pass that says little, by the package's own word."""
        return self.outcome is Outcome.PASS and self.reason == "(superficial)"


@dataclass(frozen=True)
class SourceResult:
    """The results of one source package; `version` is empty when that is not known."""

    source: str
    tests: Sequence[TestResult]
    version: str = ""
    #: Why the tests could not be run to their end although the package may be good.
    machine_failure: str = ""

    def having(self, outcome: Outcome) -> list[TestResult]:
        """The tests that ended so."""
        return [test for test in self.tests if test.outcome is outcome]

    @property
    def failed(self) -> bool:
        return bool(self.having(Outcome.FAIL))

    @property
    def verdict(self) -> str:
        """passed, failed, or `no tests` when none ran that says anything."""
        if self.failed:
            return "failed"
        says_something = any(not test.superficial for test in self.having(Outcome.PASS))
        return "passed" if says_something else "no tests"


def read_results(source: str, output: Path, log: Path, *, status: int) -> SourceResult:
    """Read the output directory and log of an autopkgtest run that ended with `status`."""
    tests, machine_failure = read_summary(_text(output, "summary", MAX_SUMMARY_BYTES))
    if status in (TESTBED_FAILED, OTHER_FAILURE) or not _explains(status, tests):
        machine_failure = machine_failure or f"autopkgtest ended with status {status}"
    else:
        machine_failure = ""
    if machine_failure:
        tests.append(TestResult(SETUP, Outcome.FAIL, machine_failure))
    seconds = _seconds_by_test(log)
    complete = []
    left = MAX_ALL_ATTACHED
    for test in tests:
        attachments = _attachments(output, test, left)
        left -= sum(map(len, attachments.values()))
        complete.append(replace(test, seconds=seconds.get(test.name, 0), attachments=attachments))
    _, _, version = _text(output, "testpkg-version", 1000).strip().partition(" ")
    return SourceResult(source, complete, version, machine_failure)


def without_tests(source: str) -> SourceResult:
    """The result of a source package that declares no tests: reported, and no pass."""
    reason = "the source package declares no DEP-8 tests"
    return SourceResult(source, [TestResult("no-tests", Outcome.SKIP, reason)])


def read_summary(text: str) -> tuple[list[TestResult], str]:
    """The tests of a `summary` file, and why the machine failed if it says so.

    A package that cannot be installed or read is a failed test `setup`.
    """
    tests: list[TestResult] = []
    bad_package = machine_failure = ""
    for line in text.splitlines()[:MAX_TESTS]:
        if match := _RESULT.fullmatch(line):
            tests.append(_test(match))
        elif match := _BAD_PACKAGE.fullmatch(line):
            bad_package = bad_package or match[1]
        elif match := _TESTBED.fullmatch(line):
            machine_failure = machine_failure or match[1] or "autopkgtest gave up"
    if bad_package:
        tests = [replace(t, reason=bad_package) if t.reason == "badpkg" else t for t in tests]
        if not any(test.outcome is Outcome.FAIL and test.reason == bad_package for test in tests):
            tests.append(TestResult(SETUP, Outcome.FAIL, bad_package))
    return tests, machine_failure


def printable(text: str) -> str:
    """A text without control characters, which could act on a terminal or break XML."""
    return text.translate(_UNPRINTABLE)


def _test(match: re.Match[str]) -> TestResult:
    name, word, reason = match.groups()
    outcome = Outcome.FAIL if word == "BROKEN" else Outcome[word]
    return TestResult("no-tests" if name == "*" else printable(name), outcome, printable(reason.strip()))


def _explains(status: int, tests: Sequence[TestResult]) -> bool:
    """Whether an exit status agrees with the results, so that nothing failed unseen."""
    any_failed = any(test.outcome is Outcome.FAIL for test in tests)
    return any_failed if status in (4, 6, 12, 14) else status in (0, 2, 8) and not any_failed


def _attachments(output: Path, test: TestResult, left: int) -> dict[str, str]:
    limit = min(MAX_ATTACHED_BYTES, left // len(ATTACHED))
    texts = {kind: _text(output, f"{test.name}-{kind}", limit) for kind in ATTACHED} if limit > 0 else {}
    texts["reason"] = test.reason
    return {kind: text for kind, text in texts.items() if text}


def _text(output: Path, name: str, limit: int) -> str:
    """The end of a file, empty if there is none that can be read."""
    with contextlib.suppress(OSError), open_hostile(output, name) as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - limit))
        text = printable(file.read(limit).decode(errors="replace"))
        return f"[the first {size - limit} bytes are left out]\n{text}" if size > limit else text
    return ""


def _seconds_by_test(log: Path) -> dict[str, float]:
    """How long each test ran, by the two marks that autopkgtest sets around it."""
    begun: dict[str, int] = {}
    seconds: dict[str, float] = {}
    with log.open(errors="replace") as lines:
        while line := lines.readline(MAX_LINE):
            if match := _TIMES.search(line):
                hours, minutes, rest, name, mark = match.groups()
                now = int(hours) * 3600 + int(minutes) * 60 + int(rest)
                if mark.startswith("["):
                    begun[name] = now
                elif name in begun:
                    seconds[name] = (now - begun[name]) % DAY_SECONDS
    return seconds
