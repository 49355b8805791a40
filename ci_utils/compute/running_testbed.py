"""Makes a machine that runs already a testbed, over ssh.

It gets what a machine of this host gets before its boot: the ordinary user,
and the packages that its tests ask for as the only ones that apt sees. So
tests find the same wherever they run, and the cloud needs no way to a mirror.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO

from ci_utils import quick_program
from ci_utils.apt.mirror import Mirror
from ci_utils.commands import TAIL_BYTES, run_logged
from ci_utils.compute import ssh
from ci_utils.compute.port import Instance, TestbedNeeds
from ci_utils.compute.testbed import FOR_TESTS, MASKED, REPOSITORY, write_repository
from ci_utils.disk_image.manifest import DPKG_STATUS
from ci_utils.disk_space import DISK_FULL, nearly_full
from ci_utils.errors import Cancelled, StageFailed, ToolFailed
from ci_utils.sandbox.limits import MAX_LOG_BYTES, size_text

#: What programs of the machine print may be without end.
MAX_STATUS_BYTES = 64 << 20
READING_SECONDS = 120

SCRIPT = f"""
set -e
systemctl --quiet stop {MASKED} 2>/dev/null || true
systemctl --quiet mask {MASKED}
{FOR_TESTS}
"""


def prepare_running(
    instance: Instance,
    mirror: Mirror,
    needs: TestbedNeeds,
    directory: Path,
    *,
    deadline: float,
    cancelled: Callable[[], bool],
) -> None:
    """Prepare the machine; `directory` takes scratch files, `deadline` is by the monotonic clock.

    Raises `StageFailed` when its programs print too much, `TimedOut`,
    `Cancelled`, `Unavailable` and `ToolFailed`.
    """
    status = _dpkg_status(instance)
    with tempfile.TemporaryDirectory(prefix=".packages-", dir=directory) as scratch:
        packages = Path(scratch) / "packages"
        write_repository(packages, mirror, needs, status=status)
        with (Path(scratch) / "log").open("w+b") as log:
            for argv in (
                ssh.copy_command(instance, packages, REPOSITORY),
                ssh.command(instance, SCRIPT),
            ):
                if _run_bounded(argv, log, deadline, cancelled):
                    log.seek(max(0, log.seek(0, os.SEEK_END) - TAIL_BYTES))
                    raise ToolFailed(
                        "the machine could not be prepared for tests",
                        output=log.read().decode(errors="replace"),
                    )


def _dpkg_status(instance: Instance) -> bytes:
    """dpkg's list of the machine's packages, as the machine tells it."""
    status, said, error = quick_program.run(
        ssh.command(instance, f"cat {DPKG_STATUS}"),
        b"",
        b"",
        env={"PATH": os.environ.get("PATH", os.defpath)},
        timeout=READING_SECONDS,
        room=MAX_STATUS_BYTES,
    )
    if len(said) == MAX_STATUS_BYTES:
        raise StageFailed(f"the machine's list of packages is larger than {MAX_STATUS_BYTES} bytes")
    if status:
        output = error[-TAIL_BYTES:].decode(errors="replace")
        raise ToolFailed("the machine's list of packages cannot be read", output=output)
    return said


def _run_bounded(argv: Sequence[str], log: BinaryIO, deadline: float, cancelled: Callable[[], bool]) -> int:
    """Run a program whose output is the machine's; its exit status."""
    left = max(deadline - time.monotonic(), 1)
    try:
        return run_logged(argv, log=log, timeout=left, cancelled=lambda: bool(_too_much(log)) or cancelled())
    except Cancelled:
        if not (reason := _too_much(log)):
            raise
        raise StageFailed(f"preparing the machine for its tests was ended: {reason}") from None


def _too_much(log: BinaryIO) -> str:
    """Why no more may be printed to the log, if so."""
    if os.fstat(log.fileno()).st_size > MAX_LOG_BYTES:
        return f"it printed more than {size_text(MAX_LOG_BYTES)}"
    return DISK_FULL if nearly_full(log.fileno()) else ""
