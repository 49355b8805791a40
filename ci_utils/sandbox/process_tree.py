"""Measures a sandbox's processes from outside, where the kernel keeps no limits for them together."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from pathlib import Path

from ci_utils.sandbox.limits import MEMORY, PROCESSES
from ci_utils.sandbox.plan import LimitsPlan

_PARENT, _RESIDENT = 1, 21  # fields of /proc/PID/stat after the name
_PAGE = 4096


def exceeded(root: int, limits: LimitsPlan) -> str:
    """Which limit the process `root` and its descendants exceed, or nothing."""
    resident = _descendants(root)
    if len(resident) > limits.processes:
        return PROCESSES
    # What processes share counts for each of them here: only if that is too much, count exactly.
    if sum(resident.values()) > limits.memory and _memory(list(resident)) > limits.memory:
        return MEMORY
    return ""


def _descendants(root: int) -> dict[int, int]:
    """Resident bytes by process."""
    children = defaultdict(list)
    resident = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = path.read_text(errors="replace").rpartition(")")[2].split()
            process = int(path.parent.name)
            children[int(fields[_PARENT])].append(process)
            resident[process] = int(fields[_RESIDENT]) * _PAGE
    found, waiting = {}, [root]
    while waiting:
        process = waiting.pop()
        found[process] = resident.get(process, 0)
        waiting += children[process]
    return found


def _memory(processes: list[int]) -> int:
    """Bytes of all of them, what they share counted once."""
    total = 0
    for process in processes:
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) * 1024
    return total
