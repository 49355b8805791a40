"""The unpacked root that builds start from, made by mmdebstrap and kept.

A root is `DIRECTORY/ID/root`, with the layers of build dependencies that
belong to it in `DIRECTORY/ID/layers`; a new one is made when the mirror moved
on and the present one is old, or when there is none.
"""

from __future__ import annotations

import fcntl
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from ci_utils.apt.mirror import Mirror, host_options, proxy_environment
from ci_utils.errors import ToolFailed
from ci_utils.sandbox.plan import BUILD_ID
from ci_utils.sandbox.sandbox import Bind, Host, Sandbox
from ci_utils.sandbox.trees import remove_tree, writable_directory

TIMEOUT_SECONDS = 1800
#: A root behind its mirror still builds right: apt upgrades in the layer what a build needs newer.
MAX_AGE_SECONDS = 7 * 24 * 3600

BUILD_DIRECTORY = "/build"
_CUSTOMISE = (
    f"echo 'build:x:{BUILD_ID}:{BUILD_ID}::/nonexistent:/bin/sh' >> \"$1\"/etc/passwd",
    f"echo 'build:x:{BUILD_ID}:' >> \"$1\"/etc/group",
    f'mkdir -m 755 "$1"{BUILD_DIRECTORY} && chown {BUILD_ID}:{BUILD_ID} "$1"{BUILD_DIRECTORY}',
    "printf '127.0.0.1 localhost build\\n::1 localhost\\n' > \"$1\"/etc/hosts",
    'printf \'#!/bin/sh\\nexit 101\\n\' > "$1"/usr/sbin/policy-rc.d; chmod 755 "$1"/usr/sbin/policy-rc.d',
)


class BuildRoot:
    """A finished root, kept from being deleted until `release` or the end of the process."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._claim = (directory / "in-use").open("w")
        fcntl.flock(self._claim, fcntl.LOCK_SH)

    @property
    def id(self) -> str:
        """Different for every root ever made."""
        return self.directory.name

    @property
    def path(self) -> Path:
        """The tree itself."""
        return self.directory / "root"

    @property
    def layers(self) -> Path:
        """Where layers over this root are kept."""
        return self.directory / "layers"

    @property
    def dpkg_status(self) -> Path:
        """What is installed in it."""
        return self.path / "var/lib/dpkg/status"

    def release(self) -> None:
        """Say that no build of this process uses it any more."""
        self._claim.close()

    def used_alone(self) -> bool:
        """Whether no other process builds in it."""
        try:
            fcntl.flock(self._claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        finally:
            fcntl.flock(self._claim, fcntl.LOCK_SH)
        return True


def current_root(
    directory: Path, mirror: Mirror, *, log: BinaryIO, cancelled: Callable[[], bool]
) -> BuildRoot:
    """The root to build in, made if need be (some 30 s).

    Engines may share `directory`; roots that none uses and that are not the
    newest are deleted. Raises `ToolFailed` if mmdebstrap fails, `Cancelled`,
    `TimedOut`.
    """
    directory.mkdir(parents=True, exist_ok=True)
    directory.chmod(0o700)
    with (directory / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        wanted = mirror.fingerprint()
        roots = sorted(directory.glob("*/root"), key=lambda path: path.parent.stat().st_mtime)
        finished = [path.parent for path in roots if not path.parent.name.startswith(".")]
        if not finished or not _serves(finished[-1], wanted):
            finished.append(_make(directory, wanted, mirror, log, cancelled))
        current = BuildRoot(finished[-1])
        for old in directory.iterdir():
            if old.is_dir() and old != current.directory:
                _remove_unused(old)
    return current


def _remove_unused(directory: Path) -> None:
    root = BuildRoot(directory)
    try:
        if root.used_alone():
            remove_tree(directory)
    finally:
        root.release()


def _serves(root: Path, wanted: str) -> bool:
    fresh = time.time() - root.stat().st_mtime < MAX_AGE_SECONDS
    return fresh or root.name.startswith(wanted)


def _make(
    directory: Path, fingerprint: str, mirror: Mirror, log: BinaryIO, cancelled: Callable[[], bool]
) -> Path:
    scratch = writable_directory(directory / f".new-{secrets.token_hex(4)}")
    try:
        sources = scratch / "mirror.sources"
        sources.write_text(mirror.sources_text())
        sources.chmod(0o644)
        sandbox = Sandbox(Host(), network=True, binds=[Bind(scratch, "/mnt/new", read_only=False)])
        status = sandbox.run(
            _mmdebstrap(mirror.series),
            log=log, timeout=TIMEOUT_SECONDS, cancelled=cancelled, env=proxy_environment(),
        )  # fmt: skip
        if status:
            raise ToolFailed(
                f"the root that packages are built in cannot be made: mmdebstrap ended with status {status}"
            )
        (scratch / "layers").mkdir()
        return scratch.rename(directory / f"{fingerprint}-{secrets.token_hex(4)}")
    except BaseException:
        remove_tree(scratch)
        raise


def _mmdebstrap(series: str) -> list[str]:
    options = ['APT::Sandbox::User "root"', *(line.rstrip(";") for line in host_options())]
    return [
        "mmdebstrap", "--mode=root", "--variant=buildd", "--format=directory", "--skip=check/qemu",
        "--include=fakeroot", "--dpkgopt=path-exclude=/usr/share/man/*",
        *(f"--aptopt={option}" for option in options),
        *(f"--customize-hook={hook}" for hook in _CUSTOMISE),
        series, "/mnt/new/root", "/mnt/new/mirror.sources",
    ]  # fmt: skip
