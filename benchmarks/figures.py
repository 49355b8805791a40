"""What a benchmark measured, and how it is shown: one line of a table each."""

from __future__ import annotations

import os
import platform
import resource
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path


@dataclass(frozen=True)
class Figure:
    """A measured value with its unit; `target` as the project states it, empty for none."""

    name: str
    value: float
    unit: str
    target: str = ""
    note: str = ""

    def row(self) -> str:
        """A line of a Markdown table."""
        return f"| {self.name} | {_number(self.value)} {self.unit} | {self.target} | {self.note} |"


HEADING = "| what | measured | target | |\n|---|---|---|---|"


def machine() -> str:
    """The machine, its load and the time, as one line."""
    cpu = next(
        (line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        platform.machine(),
    )
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    kvm = "with /dev/kvm" if Path("/dev/kvm").exists() else "without KVM"
    now = datetime.now(UTC)
    return (
        f"{now:%Y-%m-%d %H:%M} UTC, {os.cpu_count()} cores of {cpu} {kvm}, "
        f"Python {platform.python_version()}, load {load}"
    )


@dataclass(frozen=True)
class Spent:
    """What something took: seconds of the clock, and of processors in this process and its children."""

    wall: float
    cpu: float


def spent(work: Callable[[], object]) -> Spent:
    """Do `work` once and tell what it took; of children only those that were waited for count."""
    began, cpu = time.perf_counter(), _cpu_seconds()
    work()
    return Spent(time.perf_counter() - began, _cpu_seconds() - cpu)


def milliseconds(work: Callable[[], object], times: int) -> list[float]:
    """How long `work` takes by the clock, again and again."""
    return [spent(work).wall * 1000 for _ in range(times)]


def median(values: Sequence[float]) -> float:
    """The middle one."""
    return statistics.median(values)


def tenth_worst(values: Sequence[float]) -> float:
    """What nine of ten stay below."""
    return sorted(values)[int(len(values) * 0.9)]


def cpu_of_process(pid: int) -> float:
    """Processor seconds of a process and of its children that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def resident_mib(pid: int) -> float:
    """Memory of a process that is in use now."""
    line = next(line for line in _lines(f"/proc/{pid}/status") if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def _cpu_seconds() -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.3g}"


def _lines(path: str) -> list[str]:
    return Path(path).read_text(errors="replace").splitlines()
