"""Layers over the build root, one for every set of build dependencies, made once.

A layer is what installing the set changed. Its name is the contents of every
package in the set, so packages from a ticket's own archive never end up in
the build of another ticket that did not ask for the very same files.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO

from ci_utils.apt.resolver import InstallPlan
from ci_utils.archive.build_root import BuildRoot
from ci_utils.errors import StageFailed
from ci_utils.sandbox.limits import LimitExceeded, Limits
from ci_utils.sandbox.sandbox import Bind, Overlay, Sandbox
from ci_utils.sandbox.trees import remove_tree, writable_directory
from ci_utils.shared_files import share

KEPT_LAYERS = 40

_APT_GET = (
    "apt-get", "--yes", "--no-install-recommends",
    "-o", "Dpkg::Options::=--force-unsafe-io", "-o", "Dpkg::Use-Pty=0",
    "-o", "Dir::Etc::sourcelist=/dev/null", "-o", "Dir::Etc::sourceparts=/dev/null",
    "-o", "APT::Sandbox::User=root", "install", "--",
)  # fmt: skip


def dependency_layer(
    root: BuildRoot,
    plan: InstallPlan,
    fetch: Callable[[], Sequence[Path]],
    *,
    limits: Limits,
    log: BinaryIO,
    timeout: float,
    cancelled: Callable[[], bool],
) -> list[Path]:
    """The layers that give a build in `root` what `plan` says, top one first.

    `fetch` delivers the .debs of the plan if they are needed. They are
    installed without a network. Raises `StageFailed` if they do not install,
    `TimedOut`, `Cancelled`.
    """
    if plan.empty:
        return []
    layer = root.layers / plan.key
    if layer.exists():
        os.utime(layer)
        return [layer / "upper"]
    scratch = writable_directory(root.layers / f".new-{secrets.token_hex(4)}")
    try:
        debs = _gather(fetch(), scratch / "debs")
        sandbox = Sandbox(Overlay([root.path], upper=scratch), binds=[Bind(debs, "/run/debs")], limits=limits)
        argv = [*_APT_GET, *(f"/run/debs/{deb.name}" for deb in sorted(debs.iterdir())),
                *(f"{name}-" for name in plan.removed)]  # fmt: skip
        env = {"DEBIAN_FRONTEND": "noninteractive"}
        try:
            status = sandbox.run(argv, log=log, timeout=timeout, cancelled=cancelled, env=env)
        except LimitExceeded as error:
            raise StageFailed(f"its build dependencies were not installed: {error.message}") from None
        if status:
            raise StageFailed("its build dependencies do not install; the log says which")
        shutil.rmtree(debs)
        if layer.exists():  # another engine was faster
            remove_tree(scratch)
        else:
            scratch.rename(layer)
    except BaseException:
        remove_tree(scratch)
        raise
    return [layer / "upper"]


def forget_old_layers(root: BuildRoot) -> None:
    """Delete the layers that were not used for longest, and half-made ones, unless others build too."""
    if not root.used_alone():
        return
    layers = sorted(root.layers.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
    finished = [layer for layer in layers if not layer.name.startswith(".")]
    for layer in set(layers) - set(finished[:KEPT_LAYERS]):
        remove_tree(layer)


def _gather(debs: Sequence[Path], directory: Path) -> Path:
    """Put the files into one directory that the sandbox can read."""
    directory.mkdir()
    directory.chmod(0o755)
    for deb in debs:
        share(deb, directory / deb.name)
    return directory
