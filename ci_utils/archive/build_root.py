"""The unpacked root that builds start from, made by mmdebstrap and kept.

A root is `DIRECTORY/ID/root`, with the layers of build dependencies that
belong to it in `DIRECTORY/ID/layers`; a new one is made when the mirror moved
on and the present one is old, or when there is none.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ci_utils.apt.mirror import Mirror, host_options
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


@dataclass(frozen=True)
class BuildRoot:
    """A finished root; `id` names its contents."""

    directory: Path

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


def current_root(
    directory: Path, mirror: Mirror, *, log: BinaryIO, cancelled: Callable[[], bool]
) -> BuildRoot:
    """The root to build in, made if need be (some 30 s); only one caller at a time.

    Older roots are deleted: no build may be running in them. Raises
    `ToolFailed` if mmdebstrap fails, `Cancelled`, `TimedOut`.
    """
    directory.mkdir(parents=True, exist_ok=True)
    directory.chmod(0o700)
    wanted = mirror.fingerprint()
    roots = sorted(directory.glob("*/root"), key=lambda path: path.parent.stat().st_mtime)
    if roots and _serves(roots[-1].parent, wanted):
        return BuildRoot(roots[-1].parent)
    made = _make(directory, wanted, mirror, log, cancelled)
    for old in directory.iterdir():
        if old != made.directory:
            remove_tree(old)
    return made


def _serves(root: Path, wanted: str) -> bool:
    fresh = time.time() - root.stat().st_mtime < MAX_AGE_SECONDS
    return fresh or root.name.startswith(wanted)


def _make(
    directory: Path, fingerprint: str, mirror: Mirror, log: BinaryIO, cancelled: Callable[[], bool]
) -> BuildRoot:
    scratch = writable_directory(directory / f".new-{secrets.token_hex(4)}")
    try:
        sources = scratch / "mirror.sources"
        sources.write_text(mirror.sources_text())
        sources.chmod(0o644)
        sandbox = Sandbox(Host(), network=True, binds=[Bind(scratch, "/mnt/new", read_only=False)])
        status = sandbox.run(
            _mmdebstrap(mirror.series), log=log, timeout=TIMEOUT_SECONDS, cancelled=cancelled
        )
        if status:
            raise ToolFailed(
                f"the root that packages are built in cannot be made: mmdebstrap ended with status {status}"
            )
        (scratch / "layers").mkdir()
        finished = scratch.rename(directory / f"{fingerprint}-{secrets.token_hex(4)}")
    except BaseException:
        remove_tree(scratch)
        raise
    return BuildRoot(finished)


def _mmdebstrap(series: str) -> list[str]:
    options = ['APT::Sandbox::User "root"', *(line.rstrip(";") for line in host_options())]
    return [
        "mmdebstrap", "--mode=root", "--variant=buildd", "--format=directory", "--skip=check/qemu",
        "--include=fakeroot", "--dpkgopt=path-exclude=/usr/share/man/*",
        *(f"--aptopt={option}" for option in options),
        *(f"--customize-hook={hook}" for hook in _CUSTOMISE),
        series, "/mnt/new/root", "/mnt/new/mirror.sources",
    ]  # fmt: skip
