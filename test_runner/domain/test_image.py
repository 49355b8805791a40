"""The verb of the test runner: boot an image and run packages' tests on it.

Specification: chapter "Test Runner", `test_image`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ci_utils.archive.port import Archives
from ci_utils.compute.port import Compute, Instance, TestbedNeeds
from ci_utils.data_store.port import DataStores
from ci_utils.errors import Cancelled, CIError, NotFound, StageFailed, TimedOut
from ci_utils.sandbox.limits import Limits
from ci_utils.sandbox.trees import remove_tree, writable_directory
from test_runner.domain import results
from test_runner.domain.artifacts import Artifacts
from test_runner.domain.autopkgtest import OUTPUT, Report, run_autopkgtest
from test_runner.domain.machine_door import open_door
from test_runner.domain.results import Outcome, SourceResult
from test_runner.domain.source_tree import SourceTree, unpack
from test_runner.domain.subunit_stream import subunit_v1
from test_runner.domain.workshop import Workshop

logger = logging.getLogger(__name__)

MACHINE_PREFIX = "test-"
NAMED_FAILURES = 3


def test_image(
    *,
    ticket_id: str,
    trigger: str,
    image_id: str,
    sources: Sequence[str],
    archive_list: Sequence[str],
    private: bool,
    archives: Archives,
    compute: Compute,
    data_stores: DataStores,
    work_dir: Path,
    limits: Limits,
    timeout: float,
    report: Report,
    cancelled: Callable[[], bool],
) -> Mapping[str, object]:
    """Boot the image once and run the DEP-8 tests of `sources` on it.

    The sources come from the first archive of `archive_list` that has them.
    `timeout` is for the boot and for each source, in seconds. The result has
    `status`, `test_result`, the URLs `test_result_urls` (subunit v1),
    `artifacts` and `logs`, `failure_log` (that of the logs which shows why it
    failed) and `results` (see `_summary`). Raises `Cancelled`, and
    `StageFailed` with the same result if a test failed or did not end, or the
    image does not boot. Done again after a crash it begins anew.
    """
    artifacts = Artifacts.of_ticket(data_stores, ticket_id, trigger, private=private)
    directory = work_dir / trigger
    compute.sweep(_machine_name(trigger))
    remove_tree(directory)
    directory.mkdir(mode=0o700, parents=True)
    run = _Run(directory, artifacts, compute, archives, limits, timeout, report, cancelled)
    try:
        trees = run.unpack(sources, archive_list)
        run.boot_and_test(image_id, _machine_name(trigger), trees, archive_list)
    except Cancelled:
        raise
    except CIError as error:
        if not isinstance(error, StageFailed):
            logger.exception("the image of ticket %s cannot be tested", ticket_id)
        raise StageFailed(error.message, result=_result(run, "FAIL")) from None
    finally:
        remove_tree(directory)
    return _judge(run)


@dataclass
class _Run:
    """One request in work."""

    directory: Path
    artifacts: Artifacts
    compute: Compute
    archives: Archives
    limits: Limits
    timeout: float
    report: Report
    cancelled: Callable[[], bool]
    runs_on: str = ""
    found: list[SourceResult] = field(default_factory=list)

    def unpack(self, sources: Iterable[str], archive_list: Sequence[str]) -> list[SourceTree]:
        """Fetch and unpack the sources."""
        trees = []
        log = self.directory / "unpack.log"
        try:
            for name in sources:
                self.report(f"unpacking the source package {name}")
                place = self.directory / name
                place.mkdir()
                dsc = self._fetch(name, archive_list, place)
                shop = Workshop(place, self.limits)
                with log.open("ab") as output:
                    trees.append(unpack(name, dsc, shop, log=output, cancelled=self.cancelled))
        except StageFailed:
            self.artifacts.add_log("unpack", log)
            raise
        return trees

    def _fetch(self, name: str, archive_list: Sequence[str], place: Path) -> Path:
        fetched = writable_directory(place / "source")
        for archive in archive_list:
            try:
                dsc = self.archives.fetch_source(archive, name, fetched)
            except NotFound:
                continue
            for file in fetched.iterdir():
                file.chmod(0o644)  # for the workshop's user, whatever the engine's umask
            return dsc
        raise StageFailed(f"no archive of the ticket has the source package {name}, so it cannot be tested")

    def boot_and_test(
        self, image_id: str, machine: str, trees: Sequence[SourceTree], archive_list: Sequence[str]
    ) -> None:
        """Boot the image and run all tests; the console's log is stored whatever happens."""
        needs = TestbedNeeds(
            dependencies=list(dict.fromkeys(d for tree in trees for d in tree.tests.dependencies)),
            archives=[self.archives.apt_archive(archive) for archive in archive_list],
        )
        self.report("booting the image")
        try:
            with self.compute.boot(
                image_id, name=machine, needs=needs, timeout=self.timeout, cancelled=self.cancelled
            ) as instance:
                self.runs_on = instance.runs_on
                try:
                    self._test(instance, trees)
                finally:
                    self.artifacts.add_log("console", instance.console())
        except StageFailed as error:
            console = error.result.get("console", b"")
            if isinstance(console, bytes):
                self.artifacts.add_log("console", console)
            raise

    def _test(self, instance: Instance, trees: Sequence[SourceTree]) -> None:
        total = sum(len(tree.tests.names) for tree in trees)
        first = 1
        for tree in trees:
            self.report(f"testing {tree.name}", current=first - 1, total=total)
            self.found.append(self._test_source(instance, tree, first, total))
            if self.found[-1].machine_failure:
                break
            first += len(tree.tests.names)

    def _test_source(self, instance: Instance, tree: SourceTree, first: int, total: int) -> SourceResult:
        started_at = datetime.now(UTC)
        if tree.tests.names:
            result = self._run_autopkgtest(instance, tree, first, total)
        else:
            result = results.without_tests(tree.name)
        self.artifacts.add_stream(tree.name, subunit_v1(result, started_at=started_at))
        return result

    def _run_autopkgtest(self, instance: Instance, tree: SourceTree, first: int, total: int) -> SourceResult:
        place = self.directory / tree.name
        log = place / "autopkgtest.log"
        try:
            with open_door(instance, place / "door") as door:
                status = run_autopkgtest(
                    tree,
                    instance,
                    door,
                    log=log,
                    first=first,
                    total=total,
                    timeout=self.timeout,
                    report=self.report,
                    cancelled=self.cancelled,
                )
        except TimedOut:
            raise StageFailed(
                f"the tests of {tree.name} did not end within {self.timeout:.0f} seconds"
            ) from None
        finally:
            self.artifacts.add_log(f"{tree.name}-autopkgtest", log, source=tree.name)
            self.artifacts.add_output(tree.name, tree.workshop)
        return results.read_results(tree.name, tree.workshop.work / OUTPUT, log, status=status)


def _machine_name(trigger: str) -> str:
    return f"{MACHINE_PREFIX}{trigger}"


def _judge(run: _Run) -> Mapping[str, object]:
    """The result if nothing failed, else `StageFailed` with it."""
    failed = [result for result in run.found if result.failed]
    if not failed:
        return _result(run, "SUCCESS")
    broken = next((result for result in failed if result.machine_failure), None)
    if broken:
        raise StageFailed(
            f"the machine under test failed while the tests of {broken.source} ran "
            f"({broken.machine_failure}); that is no result of a test",
            result=_result(run, "FAIL"),
        )
    raise StageFailed(_failure_sentence(failed), result=_result(run, "FAIL"))


def _failure_sentence(failed: Sequence[SourceResult]) -> str:
    tests = [
        (f"{r.source}.{t.name}", t.reason.split(". ")[0]) for r in failed for t in r.having(Outcome.FAIL)
    ]
    shown = ", ".join(f"{name} ({reason})" if reason else name for name, reason in tests[:NAMED_FAILURES])
    more = f" and {len(tests) - NAMED_FAILURES} more" if len(tests) > NAMED_FAILURES else ""
    return f"DEP-8 tests failed on the image: {shown}{more}"


def _failure_log(run: _Run) -> str:
    """The log that shows what the sentence says: of the tests that did not end, or broke off, or failed."""
    logs = run.artifacts.log_of
    unended = set(logs) - {result.source for result in run.found}
    broken = [result.source for result in run.found if result.machine_failure]
    failed = [result.source for result in run.found if result.failed]
    of_tests = (logs[source] for source in (*unended, *broken, *failed) if source in logs)
    return next(of_tests, "") or next(iter(run.artifacts.logs), "")


def _result(run: _Run, status: str) -> dict[str, object]:
    passed = any(result.verdict == "passed" for result in run.found)
    return {
        "status": status,
        "test_result": "FAILED" if status == "FAIL" else "PASSED" if passed else "NO TESTS",
        "test_result_urls": run.artifacts.streams,
        "artifacts": run.artifacts.others,
        "logs": run.artifacts.logs,
        "failure_log": _failure_log(run) if status == "FAIL" else "",
        "results": _summary(run.found, run.runs_on),
    }


def _summary(found: Sequence[SourceResult], runs_on: str) -> dict[str, Any]:
    """Numbers over all sources, and per source its version, verdict and tests."""
    counts = {o.value: sum(len(result.having(o)) for result in found) for o in Outcome}
    sources = {
        result.source: {
            "version": result.version,
            "verdict": result.verdict,
            "tests": [
                {"name": t.name, "result": t.outcome.value, "reason": t.reason, "seconds": t.seconds}
                for t in result.tests
            ],
        }
        for result in found
    }
    return {**counts, "runs_on": runs_on, "sources": sources}
