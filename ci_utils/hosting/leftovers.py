"""What a process that was killed has left half-done is gone when the next one starts.

Work that is taken up again begins anew, perhaps on another host; so its files
are of use to nobody once the process is dead.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from ci_utils.data_directory import require_writable
from ci_utils.errors import CIError
from ci_utils.sandbox.trees import remove_tree

log = logging.getLogger(__name__)

SCRATCH = "tmp"
#: Where workers keep the files of a request, in a directory for each, below the data directory.
WORK = {
    "branch_source_builder": "branch-source-builder",
    "image_builder": "image-builds",
    "test_runner": "tests",
}


def begin_without(data_dir: Path) -> None:
    """Remove what an engine that was killed left half-done, and keep temporary files beside the data.

    For a process that holds the lock of `data_dir`: nobody else writes there.
    """
    _remove(data_dir / SCRATCH, *_requests(data_dir, WORK))
    _use(data_dir / SCRATCH)
    for path in data_dir.glob("data-store/*/incoming/*"):
        path.unlink()


@contextlib.contextmanager
def working_without(data_dir: Path, service: str) -> Iterator[None]:
    """The same while a worker of one service lives, if the service keeps files.

    Others may work on `data_dir`, also for this service: what theirs is stays
    until none of them lives.
    """
    if service not in WORK:
        yield
        return
    require_writable(data_dir)
    scratch = data_dir / SCRATCH / service
    with (data_dir / f"{service}.lock").open("w") as lock:
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _remove(scratch, *_requests(data_dir, [service]))
        # Shared from here on: who begins while this one lives cannot have it alone, and removes nothing.
        fcntl.flock(lock, fcntl.LOCK_SH)
        _use(scratch)
        yield


def _requests(data_dir: Path, services: Iterable[str]) -> Iterator[Path]:
    """The directories of requests. Base images are made beside them, in files and directories with a dot."""
    for service in services:
        yield from (path for path in (data_dir / WORK[service]).glob("[!.]*") if path.is_dir())


def _remove(*trees: Path) -> None:
    for tree in trees:
        try:
            remove_tree(tree)
        except (CIError, OSError):
            log.exception("%s was left by a process that was killed, and cannot be removed", tree)


def _use(scratch: Path) -> None:
    """Have temporary files made there."""
    scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
    tempfile.tempdir = str(scratch)
