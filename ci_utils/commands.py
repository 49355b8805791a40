"""Runs the tools that Debian already has: one way to call a program.

`run` is for short calls whose output the caller wants; `run_logged` is for
long ones whose output belongs in a log that people read. Both end the whole
process group of the program when it must stop.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from ci_utils.disk_space import DISK_FULL
from ci_utils.errors import Cancelled, TimedOut, ToolFailed, ToolMissing

TAIL_BYTES = 4000
POLL_SECONDS = 0.1
KILL_AFTER_SECONDS = 5
NO_SPACE = os.strerror(errno.ENOSPC).encode()

#: Where each program comes from, for the error that says what to install.
DEBIAN_PACKAGES = {
    "apt-get": "apt",
    "apt-cache": "apt",
    "autodep8": "autodep8",
    "autopkgtest": "autopkgtest",
    "debugfs": "e2fsprogs",
    "dpkg-deb": "dpkg",
    "dpkg-source": "dpkg-dev",
    "fuse2fs": "fuse2fs",
    "gpg": "gpg",
    "gpgv": "gpgv",
    "grub-mkimage": "grub-common",
    "mcopy": "mtools",
    "mformat": "mtools",
    "mke2fs": "e2fsprogs",
    "mmd": "mtools",
    "mmdebstrap": "mmdebstrap",
    "newuidmap": "uidmap",
    "qemu-img": "qemu-utils",
    "qemu-storage-daemon": "qemu-utils",
    "qemu-system-x86_64": "qemu-system-x86",
    "sfdisk": "fdisk",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "zstd": "zstd",
}


def never() -> bool:
    """Whether to stop, for work that nobody can cancel: no."""
    return False


def run(
    argv: Sequence[str | Path],
    *,
    input: bytes | None = None,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    timeout: float = 120,
) -> bytes:
    """Run a program to its end and return its standard output.

    Raises `ToolMissing`, `ToolFailed` (with what it printed) or `TimedOut`.
    """
    name = Path(argv[0]).name
    with _start(
        argv,
        stdin=subprocess.PIPE if input is not None else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=cwd,
        env=env,
    ) as process:
        try:
            out, err = process.communicate(input, timeout=timeout)
        except subprocess.TimeoutExpired:
            end_process_group(process)
            raise TimedOut(f"{name} did not end within {timeout:g} seconds") from None
        except BaseException:
            end_process_group(process)
            raise
    if process.returncode:
        if NO_SPACE in err:
            raise ToolFailed(f"{name} failed: {DISK_FULL}", output=err[-TAIL_BYTES:].decode(errors="replace"))
        raise ToolFailed(
            f"{name} failed with exit status {process.returncode}",
            output=(out + err)[-TAIL_BYTES:].decode(errors="replace"),
        )
    return out


def run_logged(
    argv: Sequence[str | Path],
    *,
    log: BinaryIO,
    timeout: float,
    cancelled: Callable[[], bool] = never,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> int:
    """Run a program with both outputs going to `log`; return its exit status.

    Raises `TimedOut` or `Cancelled` after ending the program and all of its
    process group. `log` must have a file descriptor.
    """
    with _start(
        argv, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, cwd=cwd, env=env
    ) as process:
        try:
            wait_for(process, timeout=timeout, cancelled=cancelled, name=Path(argv[0]).name)
        finally:
            end_process_group(process)
    return process.returncode


def wait_for(
    process: subprocess.Popen[bytes],
    *,
    timeout: float,
    cancelled: Callable[[], bool] = never,
    name: str,
) -> None:
    """Wait for a program's end; raise `TimedOut` or `Cancelled` if that comes first."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            process.wait(POLL_SECONDS)
            return
        except subprocess.TimeoutExpired:
            if time.monotonic() > deadline:
                raise TimedOut(f"{name} did not end within {timeout:g} seconds") from None
            if cancelled():
                raise Cancelled("the work was cancelled") from None


def end_process_group(process: subprocess.Popen[bytes]) -> None:
    """End a program and everything it started in its process group."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        try:
            process.wait(KILL_AFTER_SECONDS)
        except subprocess.TimeoutExpired:
            continue


def _start(argv: Sequence[str | Path], **options: object) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(  # type: ignore[call-overload,no-any-return]
            [os.fspath(a) for a in argv], start_new_session=True, **options
        )
    except FileNotFoundError:
        raise tool_missing(Path(argv[0]).name) from None


def tool_missing(name: str) -> ToolMissing:
    """The error for a program that is not there."""
    package = DEBIAN_PACKAGES.get(name, name)
    return ToolMissing(f"{name} is not installed; install it with: apt-get install {package}")
