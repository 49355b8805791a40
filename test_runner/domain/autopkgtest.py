"""Runs autopkgtest for one source package against a machine.

autopkgtest itself runs in the source's workshop: it reads the hostile source
and unpacks what the hostile machine sends. Specification: "Test Runner".
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from ci_utils.compute.port import Instance
from ci_utils.sandbox.sandbox import Bind
from test_runner.domain.machine_door import DOOR
from test_runner.domain.source_tree import SourceTree
from test_runner.domain.workshop import WORK

OUTPUT = "output"
#: What a throw-away machine offers to tests; what they need beyond that, they are skipped for.
CAPABILITIES = ("isolation-container", "isolation-machine")
READ_EVERY_SECONDS = 1.0

#: Not at the start of a line: two writers share the log, and a line end may come late.
_TEST_BEGINS = re.compile(
    rb"autopkgtest \[\d\d:\d\d:\d\d\]: test (\S{1,200}): preparing testbed$", re.MULTILINE
)


class Report(Protocol):
    """Tells those who wait how far the work is."""

    def __call__(self, message: str, *, current: int | None = None, total: int | None = None) -> None: ...


def run_autopkgtest(
    source: SourceTree,
    instance: Instance,
    door: Bind,
    *,
    log: Path,
    first: int,
    total: int,
    timeout: float,
    report: Report,
    cancelled: Callable[[], bool],
) -> int:
    """Run the tests of a source; the exit status of autopkgtest.

    Its results lie in `output` of the workshop, what it prints in `log`.
    Progress counts on from the `first` test of `total`. Raises `TimedOut`,
    `Cancelled` or `StageFailed`.
    """
    with log.open("ab") as output:
        progress = _Progress(log, source, first=first, total=total, report=report)
        status = source.workshop.run(
            _arguments(source, instance, timeout),
            log=output,
            binds=[door],
            timeout=timeout,
            cancelled=lambda: progress.follow() or cancelled(),
        )
        progress.read()  # the last tests may have taken less time than there is between two looks
        return status


def _arguments(source: SourceTree, instance: Instance, timeout: float) -> list[str]:
    return [
        "autopkgtest",
        f"--output-dir={WORK}/{OUTPUT}",
        "--no-built-binaries",
        "--needs-internet=skip",
        f"--timeout-test={timeout:.0f}",
        f"--user={instance.ordinary_user}",
        source.tree,
        "--",
        *("/usr/bin/python3", "-u", f"{DOOR}/virt_ssh.py"),
        "--hostname=machine",
        f"--login={instance.user}",
        f"--identity={DOOR}/key",
        f"--options=-F {DOOR}/config",
        *(f"--capability={capability}" for capability in CAPABILITIES),
    ]


class _Progress:
    """Reads in autopkgtest's log which test runs."""

    def __init__(self, log: Path, source: SourceTree, *, first: int, total: int, report: Report) -> None:
        self._log = log
        self._source = source
        self._current = first - 1
        self._last = first + len(source.tests.names) - 1
        self._total = total
        self._report = report
        self._offset = 0
        self._read_at = 0.0

    def follow(self) -> bool:
        """Report what is new, if the last look was long enough ago; always False."""
        if time.monotonic() >= self._read_at:
            self._read_at = time.monotonic() + READ_EVERY_SECONDS
            self.read()
        return False

    def read(self) -> None:
        """Report what is new."""
        with self._log.open("rb") as log:
            log.seek(self._offset)
            new = log.read()
        whole = new.rpartition(b"\n")[0]
        self._offset += len(whole)
        if begun := _TEST_BEGINS.findall(whole):
            # The package can print such lines too; it cannot count beyond its own tests.
            self._current = min(self._current + len(begun), self._last)
            name = begun[-1].decode(errors="replace")
            self._report(f"testing {self._source.name}: {name}", current=self._current, total=self._total)
