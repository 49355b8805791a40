"""Where programs of this host work on a hostile source package.

They see the host's /usr, a directory to work in and what was bound, run as an
ordinary user of their own and have no network. What they leave behind is as
hostile as what they were given.
"""

from __future__ import annotations

import contextlib
import os
import stat
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO

from ci_utils.errors import Cancelled, StageFailed
from ci_utils.sandbox.sandbox import Bind, Directory, Sandbox
from ci_utils.sandbox.trees import writable_directory

#: The working directory as the programs see it.
WORK = "/srv/tests"
HOME = f"{WORK}/home"
USER = "tests"
LINKS = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
#: Which distribution's patches dpkg-source applies.
VENDOR = Path("/etc/dpkg/origins")

#: What one program may write: a single file, and all files together.
MAX_FILE_BYTES = 512 << 20
MAX_TOTAL_BYTES = 4 << 30
MAX_FILES = 500_000
MEASURE_EVERY_SECONDS = 2.0
COMMAND_SECONDS = 600


def _never() -> bool:
    return False


class Workshop:
    """Made in a directory that is closed to other users of this host; remove it with `remove_tree`."""

    def __init__(self, directory: Path) -> None:
        self._root = writable_directory(directory / "root")
        self.work = writable_directory(directory / "work")
        writable_directory(self.work / "home")
        for name in LINKS:
            if Path("/", name).is_symlink():
                (self._root / name).symlink_to(f"usr/{name}")
        etc = writable_directory(self._root / "etc")
        _write(etc / "passwd", f"root:x:0:0::/root:/bin/sh\n{USER}:x:1000:1000::{HOME}:/bin/sh\n")
        _write(etc / "group", f"root:x:0:\n{USER}:x:1000:\n")

    def run(
        self,
        argv: Sequence[str],
        *,
        log: BinaryIO,
        binds: Sequence[Bind] = (),
        timeout: float = COMMAND_SECONDS,
        cancelled: Callable[[], bool] = _never,
        cwd: str = WORK,
    ) -> int:
        """Run a program with both outputs going to `log`; return its exit status.

        Raises `TimedOut` or `Cancelled`, and `StageFailed` when it fills the disk.
        """
        meter = _Meter(self.work)
        try:
            return self._sandbox(binds).run(
                self._limited(argv),
                log=log,
                timeout=timeout,
                cancelled=lambda: meter.too_much() or cancelled(),
                env=self._environment(),
                cwd=cwd,
            )
        except Cancelled:
            if not meter.full:
                raise
            raise StageFailed(
                f"{argv[0]} was stopped: it wrote more than {MAX_TOTAL_BYTES >> 20} MiB or {MAX_FILES} files"
            ) from None

    def output(self, argv: Sequence[str], target: BinaryIO, *, cwd: str = WORK) -> int:
        """Run a short program with its standard output going to `target`; return its exit status."""
        with self._sandbox(()).popen(
            self._limited(argv),
            env=self._environment(),
            cwd=cwd,
            stdout=target,
            stderr=subprocess.DEVNULL,
        ) as process:
            return process.wait(COMMAND_SECONDS)

    def _sandbox(self, binds: Sequence[Bind]) -> Sandbox:
        vendor = [Bind(VENDOR, str(VENDOR))] if VENDOR.is_dir() else []
        return Sandbox(
            Directory(self._root),
            binds=[Bind(Path("/usr"), "/usr"), *vendor, Bind(self.work, WORK, read_only=False), *binds],
            unprivileged=True,
            hostname="test-runner",
        )

    @staticmethod
    def _limited(argv: Sequence[str]) -> list[str]:
        return ["prlimit", f"--fsize={MAX_FILE_BYTES}", "--core=0", "--", *argv]

    @staticmethod
    def _environment() -> dict[str, str]:
        return {"HOME": HOME, "TMPDIR": HOME, "USER": USER, "LOGNAME": USER}


def open_hostile(directory: Path, name: str) -> BinaryIO:
    """Open a plain file that a program in the workshop may have put there.

    Raises `OSError` for a link, a pipe or anything else that is no plain file.
    """
    if "/" in name:
        raise FileNotFoundError(name)
    folder = os.open(directory, os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
        file = os.fdopen(os.open(name, flags, dir_fd=folder), "rb")
    finally:
        os.close(folder)
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise FileNotFoundError(name)
    return file


def _write(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o644)


class _Meter:
    """Adds up what lies in a directory, every now and then."""

    def __init__(self, directory: Path) -> None:
        self.full = False
        self._directory = directory
        self._measure_at = time.monotonic() + MEASURE_EVERY_SECONDS

    def too_much(self) -> bool:
        if not self.full and time.monotonic() >= self._measure_at:
            self._measure()
            self._measure_at = time.monotonic() + MEASURE_EVERY_SECONDS
        return self.full

    def _measure(self) -> None:
        total = files = 0
        for folder, _, names in os.walk(self._directory):
            for name in names:
                with contextlib.suppress(OSError):
                    total += Path(folder, name).lstat().st_blocks * 512
            files += len(names) + 1
            if total > MAX_TOTAL_BYTES or files > MAX_FILES:
                self.full = True
                return
