"""Limits that the kernel keeps for all processes of a sandbox together, where this user may set them.

Version 1 has a directory per controller, version 2 one for both. A group is
made below the engine's own (version 2: below the nearest that can be shared
out), so limits that the engine itself runs under stay in force.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ci_utils.sandbox.limits import MEMORY, PROCESSES
from ci_utils.sandbox.plan import LimitsPlan

MOUNTS = Path("/sys/fs/cgroup")
OWN_GROUPS = Path("/proc/self/cgroup")
PREFIX = "uci-sandbox-"


@dataclass
class ControlGroup:
    """The directories that hold the limits, by what they limit; none where the kernel offers none."""

    directories: dict[str, Path] = field(default_factory=dict)

    def join(self) -> None:
        """Put this process, and all that it will start, under the limits."""
        for directory in set(self.directories.values()):
            (directory / "cgroup.procs").write_text("0")

    def exceeded(self) -> str:
        """Which limit was hit, or nothing."""
        if MEMORY in self.directories and self._count(MEMORY, "oom_kill"):
            return MEMORY
        if PROCESSES in self.directories and self._count(PROCESSES, "max"):
            return PROCESSES
        return ""

    def remove(self) -> None:
        """Take the group away; its processes have ended."""
        for directory in set(self.directories.values()):
            with contextlib.suppress(OSError):
                directory.rmdir()

    def _count(self, limited: str, event: str) -> int:
        directory = self.directories[limited]
        names = ("memory.events", "memory.oom_control") if limited == MEMORY else ("pids.events",)
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                lines = (directory / name).read_text().splitlines()
                return next((int(line.split()[1]) for line in lines if line.split()[0] == event), 0)
        return 0


@contextmanager
def control_group(limits: LimitsPlan | None) -> Iterator[ControlGroup]:
    """A group with as much of `limits` as can be had, for as long as the context lasts."""
    group = ControlGroup()
    if limits:
        own = _own_groups()
        group.directories.update(_unified(limits, own.get("", "")) or _by_controller(limits, own))
    try:
        yield group
    finally:
        group.remove()


def _own_groups() -> dict[str, str]:
    """The path of this process's group by controller; version 2 has the empty name."""
    found: dict[str, str] = {}
    for line in OWN_GROUPS.read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        found |= {name: path.lstrip("/") for name in controllers.split(",")}
    return found


def _unified(limits: LimitsPlan, own: str) -> dict[str, Path]:
    """A group of version 2, below the own one or the nearest above that has no processes itself."""
    if not (MOUNTS / "cgroup.controllers").is_file():
        return {}
    place = MOUNTS / own
    for parent in (place, *place.parents):
        if not parent.is_relative_to(MOUNTS):
            break
        with contextlib.suppress(OSError):
            (parent / "cgroup.subtree_control").write_text("+memory +pids")
            settings = {"memory.max": limits.memory, "pids.max": limits.processes}
            directory = _make(parent, settings, optional={"memory.swap.max": 0})
            return {MEMORY: directory, PROCESSES: directory}
    return {}


def _by_controller(limits: LimitsPlan, own: dict[str, str]) -> dict[str, Path]:
    """Groups of version 1, as far as there are controllers."""
    memory = {"memory.limit_in_bytes": limits.memory}
    swap = {"memory.memsw.limit_in_bytes": limits.memory}
    made = {}
    with contextlib.suppress(OSError, KeyError):
        made[MEMORY] = _make(MOUNTS / "memory" / own["memory"], memory, optional=swap)
    with contextlib.suppress(OSError, KeyError):
        made[PROCESSES] = _make(MOUNTS / "pids" / own["pids"], {"pids.max": limits.processes})
    return made


def _make(parent: Path, settings: dict[str, int], optional: dict[str, int] | None = None) -> Path:
    _remove_abandoned(parent)
    directory = parent / f"{PREFIX}{os.getpid()}"
    with contextlib.suppress(OSError):
        directory.rmdir()  # of another process that had this number
    directory.mkdir()
    try:
        for name, value in settings.items():
            (directory / name).write_text(str(value))
    except OSError:
        directory.rmdir()
        raise
    for name, value in (optional or {}).items():
        with contextlib.suppress(OSError):
            (directory / name).write_text(str(value))
    return directory


def _remove_abandoned(parent: Path) -> None:
    """Remove the groups of supervisors that were killed; one that is in use refuses."""
    for directory in parent.glob(f"{PREFIX}*"):
        if not Path("/proc", directory.name.removeprefix(PREFIX)).exists():
            with contextlib.suppress(OSError):
                directory.rmdir()
