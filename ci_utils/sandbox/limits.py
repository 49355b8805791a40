"""What one sandbox may take of the machine, and the errors that say it wanted more."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ci_utils.disk_space import DISK_FULL
from ci_utils.errors import StageFailed
from ci_utils.sandbox.plan import LimitsPlan

DEFAULT_PROCESSES = 4096
#: More than the log of any package that there is.
MAX_LOG_BYTES = 256 << 20

MEMORY, PROCESSES, DISK, LOG = "memory", "processes", "disk", "log"
#: No limit of the sandbox, but the end of what the host has.
HOST_DISK = "host-disk"


@dataclass(frozen=True)
class Limits:
    """Of all programs in one sandbox together; 0 leaves an amount to the machine.

    `memory` in bytes, 0: three quarters of the machine's. `disk` in bytes, 0:
    half of what is free where it writes. What is written to memory counts as both.
    """

    memory: int = 0
    processes: int = DEFAULT_PROCESSES
    disk: int = 0

    @property
    def in_memory(self) -> int:
        """Bytes that may be written where files lie in memory: the rest is for the programs."""
        memory = self._memory() // 2
        return min(self.disk, memory) if self.disk else memory

    def plan(self, writable: Sequence[Path]) -> LimitsPlan:
        """The amounts for a sandbox that writes to these places of the host."""
        disk = self.disk or (_free(writable[0]) // 2 if writable else self.in_memory)
        return LimitsPlan(self._memory(), self.processes, disk, self.in_memory)

    def _memory(self) -> int:
        return self.memory or os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") * 3 // 4


DEFAULT_LIMITS = Limits()


class LimitExceeded(StageFailed):
    """A sandbox was ended because its programs wanted more than a limit; `limit` says of what."""

    def __init__(self, limit: str, plan: LimitsPlan) -> None:
        super().__init__(
            {
                MEMORY: f"it used more than {size_text(plan.memory)} of memory",
                PROCESSES: f"it started more than {plan.processes} processes",
                DISK: f"it filled the {size_text(plan.disk)} of disk that it may use",
                LOG: f"it printed more than {size_text(MAX_LOG_BYTES)}",
                HOST_DISK: DISK_FULL,
            }[limit]
        )
        self.limit = limit


def size_text(size: int) -> str:
    """Bytes as people say them."""
    for unit, name in ((1 << 30, "GiB"), (1 << 20, "MiB")):
        if size >= unit:
            return f"{size / unit:.4g} {name}"
    return f"{size} bytes"


def _free(place: Path) -> int:
    found = os.statvfs(place)
    return found.f_bavail * found.f_frsize
