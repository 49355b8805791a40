"""Where programs of this host work on a hostile source package.

They see the host's /usr, a directory to work in and what was bound, run as an
ordinary user of their own and have no network. What they leave behind is as
hostile as what they were given.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO

from ci_utils.commands import never
from ci_utils.errors import StageFailed
from ci_utils.sandbox.limits import DEFAULT_LIMITS, LimitExceeded, Limits
from ci_utils.sandbox.sandbox import Bind, Directory, Sandbox
from ci_utils.sandbox.trees import writable_directory

#: The working directory as the programs see it.
WORK = "/srv/tests"
HOME = f"{WORK}/home"
USER = "tests"
LINKS = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
#: Which distribution's patches dpkg-source applies.
VENDOR = Path("/etc/dpkg/origins")

COMMAND_SECONDS = 600


class Workshop:
    """Made in a directory that is closed to other users of this host; remove it with `remove_tree`."""

    def __init__(self, directory: Path, limits: Limits = DEFAULT_LIMITS) -> None:
        self._limits = limits
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
        cancelled: Callable[[], bool] = never,
        cwd: str = WORK,
    ) -> int:
        """Run a program with both outputs going to `log`; return its exit status.

        Raises `TimedOut` or `Cancelled`, and `StageFailed` when it wants more than its limits.
        """
        try:
            return self._sandbox(binds).run(
                argv,
                log=log,
                timeout=timeout,
                cancelled=cancelled,
                env=self._environment(),
                cwd=cwd,
            )
        except LimitExceeded as error:
            raise StageFailed(f"{argv[0]} was stopped: {error.message}") from None

    def output(
        self, argv: Sequence[str], target: BinaryIO, *, cwd: str = WORK, timeout: float = COMMAND_SECONDS
    ) -> int:
        """Run a short program with its standard output going to `target`; return its exit status.

        Raises `TimedOut`: what it reads can be a pipe that nobody writes to;
        and `StageFailed` when it wants more than its limits.
        """
        try:
            return self._sandbox(()).output(argv, target, env=self._environment(), cwd=cwd, timeout=timeout)
        except LimitExceeded as error:
            raise StageFailed(f"{argv[0]} was stopped: {error.message}") from None

    def _sandbox(self, binds: Sequence[Bind]) -> Sandbox:
        vendor = [Bind(VENDOR, str(VENDOR))] if VENDOR.is_dir() else []
        return Sandbox(
            Directory(self._root),
            binds=[Bind(Path("/usr"), "/usr"), *vendor, Bind(self.work, WORK, read_only=False), *binds],
            unprivileged=True,
            limits=self._limits,
            hostname="test-runner",
        )

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
