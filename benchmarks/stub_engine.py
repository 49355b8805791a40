"""An engine whose building, imaging and testing do nothing: what is left is the engine's own work.

`python -m benchmarks.stub_engine run --listen HOST:PORT` is `uci-engine run`
with other adapters. Requests, rows, queues, progress, files and reports go
their usual way.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ci_utils.archive.port import Build, BuildState
from ci_utils.hosting import database, main, ports
from ci_utils.source_package.changes import read_changes
from tests.branch_source_builder.memory_archives import MemoryArchives

#: As many archives as no run of tickets has in use or being cleaned.
POOL_SIZE = 64


class IdleArchives(MemoryArchives):
    """Uploads are built at once, and nothing is ever published, so an upload can come again and again."""

    def upload(self, archive: str, changes: Path) -> None:
        upload = read_changes(changes.read_bytes(), changes.name)
        build = Build(upload.source, upload.source, upload.version, "amd64", BuildState.BUILT)
        self.records[archive] = [build]

    def copy(self, sources: Iterable[tuple[str, str]], *, origin: str, target: str) -> None:
        pass

    def is_clean(self, archive: str) -> bool:
        return not self.records.get(archive)


def _image(task: Any) -> Mapping[str, object]:
    return {"image_id": "1", "image_name": f"ticket.{task.payload['ticket_id']}"}


def _test(_: Any) -> Mapping[str, object]:
    return {"status": "SUCCESS", "test_result": "PASSED", "results": {"sources": {}}}


def _replace_adapters() -> None:
    """What `ports` and the workers' lists of work offer for that."""
    from ci_utils.work_queue.worker import Work
    from image_builder import worker as image_builder
    from test_runner import worker as test_runner

    archives = IdleArchives(pool=[f"ppa:local/ci_pool-{number:03}" for number in range(1, POOL_SIZE + 1)])
    ports.archives = lambda: archives
    image_builder.WORK[:] = [Work("image_builder", _image, ("ticket_id",))]
    test_runner.WORK[:] = [Work("test_runner", _test, ("ticket_id", "image_id"))]


def _prepare_with_stubs(**options: Any) -> None:
    _prepare(**options)
    _replace_adapters()


if __name__ == "__main__":
    _prepare, database.prepare = database.prepare, _prepare_with_stubs
    sys.exit(main.main())
