"""What a dead engine has left: processes, mounts, temporary files."""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.end_to_end.engine import Engine, turns

PR_SET_CHILD_SUBREAPER = 36
#: Where work in progress keeps what nobody needs afterwards.
SCRATCH = (
    "tmp/*",
    "image-builds/*",
    "machines/*~*",
    "tests/*",
    "images/.new-*",
    "data-store/*/incoming/*",
    "archives/.state/builds/*/work",
    "archives/*/*/dists/.*",
)
#: Files beside them that stay.
KEPT = {"tree.lock", "base.lock"}


#: Processes of the test run that are older than the engine: servers and engines of other tests.
_older: set[int] = set()


@contextmanager
def adopting_orphans() -> Iterator[None]:
    """Become the parent of every process whose parent dies, so that none can hide."""
    _older.clear()
    _older.update(pid for pid, _ in _children(os.getpid()))
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        yield
    finally:
        libc.prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


def processes(engine: Engine) -> list[str]:
    """Command lines of the processes that an ended engine, or its programs, left to the test."""
    own = engine.process.pid if engine.process else 0
    found = [command for pid, command in _children(os.getpid()) if pid != own and pid not in _older]
    return [command for command in found if "uci-gpg-" not in command]


def programs(engine: Engine) -> list[str]:
    """Command lines of what a living engine has started and not ended."""
    assert engine.process is not None
    return [command for _, command in _children(engine.process.pid)]


def _children(parent: int) -> Iterator[tuple[int, str]]:
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, its_parent = stat.read_text().rpartition(")")[2].split()[:2]
            pid = int(stat.parent.name)
            if int(its_parent) != parent:
                continue
            if state == "Z":
                _reap(pid)
            else:
                yield pid, (stat.parent / "cmdline").read_text().replace("\0", " ").strip()


def _reap(pid: int) -> None:
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def mounts(engine: Engine) -> list[str]:
    """Mount points of this machine that belong to the engine's data."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return [line for line in lines if str(engine.data_dir) in line]


def control_groups() -> list[str]:
    """Groups of sandboxes that nobody is in."""
    groups = Path("/sys/fs/cgroup").rglob("uci-sandbox-*")
    with contextlib.suppress(FileNotFoundError):  # others come and go
        return [str(group) for group in groups if not (group / "cgroup.procs").read_text()]
    return []


def files(engine: Engine) -> list[str]:
    """Temporary files of an engine that has no work, relative to its data directory."""
    found = [path for pattern in SCRATCH for path in engine.data_dir.glob(pattern)]
    found += Path(engine.settings["TMPDIR"]).iterdir()
    return sorted(str(path) for path in found if path.name not in KEPT)


def nothing_left(engine: Engine, *, seconds: float = 15) -> None:
    """Fail unless processes and mounts of an engine that was killed go away by themselves."""
    left: list[str] = []
    for _ in turns(seconds, pause=0.1):
        # gpg's agent serves the next engine on the same key, which ends it.
        left = [p for p in processes(engine) if "gpg-agent" not in p] + mounts(engine) + control_groups()
        if not left:
            return
    raise AssertionError(f"the engine left: {left}")
