"""What a dead engine has left: processes, mounts, temporary files."""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Callable, Iterator
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
            state, its_parent = stat.read_text(errors="replace").rpartition(")")[2].split()[:2]
            pid = int(stat.parent.name)
            if int(its_parent) != parent:
                continue
            if state == "Z":
                _reap(pid)
            else:
                command = (stat.parent / "cmdline").read_text(errors="replace")
                yield pid, command.replace("\0", " ").strip()


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
    with contextlib.suppress(OSError):  # others come and go, in the middle of being read too
        return [str(group) for group in groups if not (group / "cgroup.procs").read_text()]
    return []


def files(engine: Engine) -> list[str]:
    """Temporary files of an engine that has no work."""
    return scratch(engine) + sorted(str(path) for path in Path(engine.settings["TMPDIR"]).iterdir())


def scratch(engine: Engine) -> list[str]:
    """Those of them that are in its data directory."""
    found = (path for pattern in SCRATCH for path in engine.data_dir.glob(pattern))
    return sorted(str(path) for path in found if path.name not in KEPT)


def none_soon(left: Callable[[], list[str]], *, seconds: float = 120) -> None:
    """Fail unless what is `left` goes away by itself: work is cleared away after it was said to be done."""
    found: list[str] = []
    for _ in turns(seconds, pause=0.1):
        try:
            found = left()
        except FileNotFoundError:  # a directory went while it was looked into
            continue
        if not found:
            return
    raise AssertionError(f"it left: {found}")


def nothing_left(engine: Engine) -> None:
    """Fail unless processes and mounts of an engine that was killed go away by themselves."""

    def left() -> list[str]:
        # gpg's agent serves the next engine on the same key, which ends it.
        running = [process for process in processes(engine) if "gpg-agent" not in process]
        return running + mounts(engine) + control_groups()

    none_soon(left)
