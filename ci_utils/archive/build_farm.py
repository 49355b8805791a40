"""Builds what was uploaded: one farm per directory of archives, run by whoever has its lock.

The build records are the truth. A farm starts when somebody wakes it, works
until nothing is left, and ends; after a crash the next one to wake it takes
over what was interrupted. Nothing that was built is built again.
"""

from __future__ import annotations

import fcntl
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path

from ci_utils.archive.build_queue import BuildQueue
from ci_utils.archive.index import ArchiveIndex, BuildRow, SourceRow
from ci_utils.archive.port import BuildState
from ci_utils.disk_space import DISK_FULL, says_full
from ci_utils.errors import Unavailable

POLL_SECONDS = 0.25
IDLE_SECONDS = 1.0
RETRY_SECONDS = 1.0

logger = logging.getLogger(__name__)


class DependenciesMissing(Exception):
    """A build cannot start yet; the text is the package that it lacks."""


#: Does one build to its end, recording it; raises `DependenciesMissing` instead of starting.
RunBuild = Callable[[BuildRow, Callable[[], bool]], None]


class BuildFarm:
    """Runs queued builds in threads of this process; `wake` is cheap and harmless."""

    def __init__(
        self,
        lock_file: Path,
        index: ArchiveIndex,
        run_build: RunBuild,
        *,
        builders: int,
        when_idle: Callable[[], None],
    ) -> None:
        self._lock_file = lock_file
        self._index = index
        self._run_build = run_build
        self._builders = builders
        self._when_idle = when_idle
        self._news = threading.Event()
        self._stopping = threading.Event()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    @property
    def stopping(self) -> bool:
        """Whether builds are being stopped because the engine ends, not cancelled."""
        return self._stopping.is_set()

    def wake(self) -> None:
        """See to it that queued builds are built, by this process or another."""
        self._news.set()
        with self._starting:
            running = self._thread is not None and self._thread.is_alive()
            if not running and not self.stopping and self._index.unfinished_builds():
                self._thread = threading.Thread(target=self._work, name="build farm", daemon=True)
                self._thread.start()

    def stop(self) -> None:
        """Stop what is building; it is queued again for the next start."""
        self._stopping.set()
        self._news.set()
        if self._thread:
            self._thread.join()

    def _work(self) -> None:
        with self._alone() as alone:
            if not alone:
                return
            try:
                self._index.requeue_interrupted()
            except Unavailable as error:  # who looks at the builds wakes the farm again
                logger.warning("%s", error)
                return
            queue = BuildQueue()
            with ThreadPoolExecutor(self._builders, thread_name_prefix="build") as threads:
                idle_since = time.monotonic()
                while not self.stopping and time.monotonic() - idle_since < IDLE_SECONDS:
                    self._news.clear()
                    try:
                        unfinished = self._index.unfinished_builds()
                        if unfinished:
                            idle_since = time.monotonic()
                            self._start_builds(unfinished, queue, threads)
                    except Unavailable as error:
                        logger.warning("%s", error)
                    self._news.wait(POLL_SECONDS)
            try:
                self._when_idle()
            except Unavailable as error:
                logger.warning("%s", error)

    def _start_builds(
        self, unfinished: list[BuildRow], queue: BuildQueue, threads: ThreadPoolExecutor
    ) -> None:
        running = sum(build.state != BuildState.NEEDS_BUILD.value for build in unfinished)
        by_archive = groupby(sorted(unfinished, key=lambda b: b.archive), key=lambda b: b.archive)
        for archive, builds in ((name, list(group)) for name, group in by_archive):
            if max(build.ready_at for build in builds) > time.time():
                continue  # more sources of the same ticket are coming in
            packages = len(self._index.binaries(archive))
            build = queue.startable(builds, self._source_of, packages)
            if build is None:
                self._give_up(archive, queue.hopeless(builds, packages))
            elif running < self._builders and self._claim(build):
                running += 1
                threads.submit(self._build, build, queue, packages)

    def _source_of(self, build: BuildRow) -> SourceRow | None:
        return self._index.source(build.archive, build.source, build.version)

    def _claim(self, build: BuildRow) -> bool:
        return self._index.move_build(build.id, BuildState.NEEDS_BUILD, BuildState.BUILDING)

    def _give_up(self, archive: str, hopeless: list[tuple[BuildRow, str]]) -> None:
        reasons = {
            build.id: f"{build.source} {build.version} needs {what} to build, which is not available"
            for build, what in hopeless
        }
        if reasons:
            self._index.give_up(archive, reasons)

    def _build(self, build: BuildRow, queue: BuildQueue, packages: int) -> None:
        try:
            self._run_build(build, _CancelCheck(self, self._index, build.id))
        except DependenciesMissing as missing:
            queue.wait(build, packages, str(missing))
            self._record(build, BuildState.NEEDS_BUILD)
        except Exception as error:
            logger.exception("the build of %s %s broke off", build.source, build.version)
            why = DISK_FULL if says_full(error) else "an error in the engine, whose log has the detail"
            self._record(build, BuildState.FAILED, f"{build.source} {build.version} was not built: {why}")
        finally:
            self._news.set()

    def _record(self, build: BuildRow, state: BuildState, reason: str = "") -> None:
        """Record how a build ended; an index that takes nothing is waited for, until the engine stops."""
        while not self.stopping:
            try:
                for running in (BuildState.BUILDING, BuildState.UPLOADING):
                    self._index.move_build(build.id, running, state, reason)
                return
            except Unavailable as error:
                logger.warning("%s %s: %s", build.source, build.version, error)
            time.sleep(RETRY_SECONDS)

    @contextmanager
    def _alone(self) -> Iterator[bool]:
        descriptor = os.open(self._lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            yield _lock(descriptor)
        finally:
            os.close(descriptor)


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class _CancelCheck:
    """Answers whether a build should stop, asking the index at most twice a second."""

    def __init__(self, farm: BuildFarm, index: ArchiveIndex, build_id: str) -> None:
        self._farm = farm
        self._index = index
        self._build_id = build_id
        self._asked_at = 0.0
        self._answer = False

    def __call__(self) -> bool:
        if self._farm.stopping:
            return True
        if time.monotonic() - self._asked_at > POLL_SECONDS:
            self._asked_at = time.monotonic()
            self._answer = self._index.is_cancelled(self._build_id)
        return self._answer
