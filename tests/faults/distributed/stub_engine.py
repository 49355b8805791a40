"""`uci-engine` whose packages, images and tests are made by waiting a while.

    python -m tests.faults.distributed.stub_engine worker image_builder

What is asked, kept, told and published goes its usual way. Each piece of work
that begins or ends leaves a line in `work.log` of the data directory: `begin
build hello 1.0`. It does not end while there is a file `hold-build` there.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from ci_utils.archive import local, package_builder
from ci_utils.archive.port import BuildState
from ci_utils.errors import Cancelled
from ci_utils.hosting import database, main

WORK_LOG = "work.log"
#: How long work takes: a test has to see that a stage runs.
SECONDS = float(os.environ.get("STUB_SECONDS", "0.5"))


def data_dir() -> Path:
    return Path(os.environ["UCI_DATA_DIR"])


def record(words: str) -> None:
    """Add a line; lines of several processes do not mix."""
    descriptor = os.open(data_dir() / WORK_LOG, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.write(descriptor, f"{words}\n".encode())
    os.close(descriptor)


def work(what: str, cancelled: Callable[[], bool]) -> None:
    """Take a while, unless it is cancelled."""
    record(f"begin {what}")
    hold = data_dir() / f"hold-{what.split()[0]}"
    until = time.monotonic() + SECONDS
    while time.monotonic() < until or hold.exists():
        if cancelled():
            record(f"stop {what}")
            raise Cancelled(f"{what} was stopped")
        time.sleep(0.05)
    record(f"end {what}")


def _build(self: Any, build: Any, directory: Path, log: Any, cancelled: Callable[[], bool]) -> None:
    work(f"build {build.source} {build.version}", cancelled)
    log.end("successful")
    self._tree.index.move_build(build.id, BuildState.BUILDING, BuildState.UPLOADING)
    self._tree.index.move_build(build.id, BuildState.UPLOADING, BuildState.BUILT)


def _image(task: Any) -> dict[str, object]:
    work(f"image {task.key}", task.cancelled)
    return {"image_id": "1", "image_name": f"ticket.{task.payload['ticket_id']}"}


def _test(task: Any) -> dict[str, object]:
    work(f"test {task.key}", task.cancelled)
    return {"status": "SUCCESS", "test_result": "PASSED", "results": {"sources": {}}}


def _copy(self: Any, sources: Iterable[tuple[str, str]], *, origin: str, target: str) -> None:
    sources = list(sources)
    words = " ".join(f"{name} {version}" for name, version in sources)
    work(f"publish {words}", lambda: False)
    _published(self, sources, origin=origin, target=target)


def _replace_work() -> None:
    import image_builder.worker
    import test_runner.worker
    from ci_utils.work_queue.worker import Work

    package_builder.PackageBuilder._build = _build  # type: ignore[method-assign]
    local.LocalArchives.copy = _copy  # type: ignore[method-assign]
    image_builder.worker.WORK[:] = [Work("image_builder", _image, ("ticket_id",))]
    test_runner.worker.WORK[:] = [Work("test_runner", _test, ("ticket_id", "image_id"))]


def _set_up_with_stubs() -> None:
    _set_up()
    _replace_work()


_published = local.LocalArchives.copy

if __name__ == "__main__":
    _set_up, database.set_up = database.set_up, _set_up_with_stubs
    sys.exit(main.main())
