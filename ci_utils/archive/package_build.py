"""Builds one source package, as hostile as it may be, and hands out what it left.

The source is unpacked and built inside the sandbox only: no network, an
ordinary user without capabilities, nothing of the host but its files.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ci_utils.archive.build_root import BUILD_DIRECTORY
from ci_utils.errors import StageFailed, TimedOut
from ci_utils.sandbox.limits import DISK, LimitExceeded, Limits
from ci_utils.sandbox.sandbox import Bind, Overlay, Sandbox
from ci_utils.sandbox.trees import remove_tree, writable_directory
from ci_utils.shared_files import share

UNPACKING_FAILED = 100
NOTHING_MADE = 101

#: How much more than its packed source a build may need; it decides only memory or disk.
UNPACKED_FACTOR = 60
LEAST_MEMORY = 1 << 30

ENVIRONMENT = {"SHELL": "/bin/sh", "USER": "build", "LOGNAME": "build"}
_SCRIPT = f"""
mkdir {BUILD_DIRECTORY}/package && cd {BUILD_DIRECTORY}/package || exit {UNPACKING_FAILED}
dpkg-source --no-check -x "/run/source/$1" source || exit {UNPACKING_FAILED}
cd source || exit {UNPACKING_FAILED}
dpkg-buildpackage --build=binary --unsigned-source --unsigned-changes --root-command=fakeroot || exit
cd ..
cp -- *.changes *.buildinfo *.deb /run/results/ || exit {NOTHING_MADE}
printf '\\n+%78s+\\n| %-76s |\\n+%78s+\\n\\n' '' 'Package contents' '' | sed '/^+/s/ /-/g'
for package in *.deb; do
    printf '%s\\n' "$package"; dpkg-deb --info "$package"; dpkg-deb --contents "$package"; echo
done
"""


@dataclass(frozen=True)
class SourceFiles:
    """The files of a source package in a directory that holds nothing else."""

    dsc: Path

    @classmethod
    def gather(cls, dsc: Path, others: Sequence[Path], directory: Path) -> SourceFiles:
        """Put the files into a new directory that a sandbox may read."""
        directory.mkdir()
        directory.chmod(0o755)
        for path in (dsc, *others):
            share(path, directory / path.name)
        return cls(directory / dsc.name)

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(path.stat().st_size for path in self.dsc.parent.iterdir())


def build_package(
    source: SourceFiles,
    layers: Sequence[Path],
    work: Path,
    *,
    log: BinaryIO,
    limits: Limits,
    parallel: int,
    timeout: float,
    cancelled: Callable[[], bool],
) -> Path:
    """Build `source` over `layers` (top one first) and return the directory of the results.

    `work` is a private directory that the caller removes (with `remove_tree`).
    Nothing in the results may be believed before it is checked. Raises
    `StageFailed` with why it failed (`LimitExceeded` among them), `TimedOut`, `Cancelled`.
    """
    results, on_disk = work / "results", work / "upper"
    status = 0
    for upper in [None, on_disk] if _fits_in_memory(source, limits) else [on_disk]:
        remove_tree(results)
        sandbox = Sandbox(
            Overlay(layers, upper=writable_directory(upper) if upper else None),
            binds=[
                Bind(source.dsc.parent, "/run/source"),
                Bind(writable_directory(results), "/run/results", read_only=False),
            ],
            unprivileged=True,
            limits=limits,
        )
        try:
            status = sandbox.run(
                ["/bin/sh", "-c", _SCRIPT, "build", source.dsc.name],
                log=log,
                timeout=timeout,
                cancelled=cancelled,
                env={"DEB_BUILD_OPTIONS": f"parallel={parallel}", **ENVIRONMENT},
            )
            break
        except LimitExceeded as error:
            if upper or error.limit != DISK or limits.disk == limits.in_memory:
                raise
            log.write(b"\nThis needs more room than there is in memory: it is built again, on disk.\n\n")
        except TimedOut:
            raise TimedOut(f"it was still building after {timeout:g} seconds") from None
    if status == UNPACKING_FAILED:
        raise StageFailed("its source does not unpack")
    if status == NOTHING_MADE:
        raise StageFailed("it made no binary packages")
    if status:
        raise StageFailed(f"dpkg-buildpackage ended with status {status}")
    return results


def _fits_in_memory(source: SourceFiles, limits: Limits) -> bool:
    with Path("/proc/meminfo").open() as lines:
        available = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
    expected = source.size * UNPACKED_FACTOR + LEAST_MEMORY
    return expected < min(available / 2, limits.in_memory)
