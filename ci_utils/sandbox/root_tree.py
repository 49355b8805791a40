"""Puts the file system of a sandbox together; runs as root of its namespaces.

Host paths are opened while the process still has the engine's right to reach
them (`HostPaths`) and are used by descriptor after that: the namespace's root
need not be able to walk to them, and nobody can swap them in between.
"""

from __future__ import annotations

import os
from pathlib import Path

from ci_utils.sandbox.disk_meter import BYTES_PER_FILE
from ci_utils.sandbox.plan import BindPlan, Plan
from ci_utils.sandbox.system_calls import (
    MS_BIND,
    MS_NODEV,
    MS_NOEXEC,
    MS_NOSUID,
    MS_PRIVATE,
    MS_RDONLY,
    MS_REC,
    MS_REMOUNT,
    detach,
    flags_of,
    mount,
    pivot_root_here,
)

DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
DEVICE_LINKS = {
    "ptmx": "pts/ptmx",
    "fd": "/proc/self/fd",
    "stdin": "/proc/self/fd/0",
    "stdout": "/proc/self/fd/1",
    "stderr": "/proc/self/fd/2",
}
#: Covered by a tmpfs that only this namespace sees; every Debian host has them.
STAGE = "/tmp"  # noqa: S108 -- a mount point, not a place for files
HOST_BINDS = "/mnt"


class HostPaths:
    """Descriptors of everything that the sandbox takes from the host."""

    def __init__(self, plan: Plan) -> None:
        devices = [] if is_host(plan) else [f"/dev/{name}" for name in DEVICES]
        binds = [bind.source for bind in plan.binds]
        wanted = [*plan.lowers, plan.upper, plan.directory, *binds, *devices]
        self._descriptors = {path: os.open(path, os.O_PATH | os.O_CLOEXEC) for path in wanted if path}

    def __getitem__(self, path: str) -> int:
        return self._descriptors[path]

    def open_written(self, plan: Plan) -> int:
        """The directory that takes what the program writes to its root, without what is bound there."""
        place, name = (self[plan.upper], "upper") if plan.upper else (self[plan.directory], ".")
        return os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=place)

    def link(self, path: str) -> str:
        """A path to it that needs no permission to walk."""
        return f"/proc/self/fd/{self[path]}"


def is_host(plan: Plan) -> bool:
    """Whether the program keeps the host's own tree."""
    return not plan.lowers and not plan.directory


def _memory_options(plan: Plan, mode: str) -> str:
    """Of a file system in memory; without a limit the kernel's own, half of the memory."""
    if not plan.limits:
        return f"mode={mode}"
    return f"mode={mode},size={plan.limits.in_memory},nr_inodes={plan.limits.in_memory // BYTES_PER_FILE}"


def keep_mounts_private() -> None:
    """Nothing mounted here shows up outside."""
    mount("none", "/", "", MS_REC | MS_PRIVATE)


def build(plan: Plan, host: HostPaths) -> None:
    """Mount everything of `plan` and leave this process in it, the host's tree detached."""
    if is_host(plan):
        _host_tree(plan, host)
        return
    old_root = os.open("/", os.O_PATH | os.O_CLOEXEC)
    _mount_root(plan, host)
    os.chdir(f"{STAGE}/root")
    pivot_root_here()
    os.chdir("/")
    Path("/proc").mkdir(exist_ok=True)
    mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    _devices(plan, host)
    _extras(plan, host)
    os.fchdir(old_root)
    detach(".")
    os.chdir("/")


def _host_tree(plan: Plan, host: HostPaths) -> None:
    mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    if plan.binds:
        mount("tmpfs", HOST_BINDS, "tmpfs", MS_NOSUID | MS_NODEV, "mode=755")
    _extras(plan, host)


def _mount_root(plan: Plan, host: HostPaths) -> None:
    mount("tmpfs", STAGE, "tmpfs", MS_NOSUID | MS_NODEV, _memory_options(plan, "755"))
    Path(STAGE, "root").mkdir()
    if plan.directory:
        mount(host.link(plan.directory), f"{STAGE}/root", "", MS_BIND | MS_REC)
        return
    layers = host.link(plan.upper) if plan.upper else STAGE
    for name in ("upper", "work"):
        Path(layers, name).mkdir(mode=0o755, exist_ok=True)
    lowers = ":".join(host.link(lower) for lower in plan.lowers)
    options = f"lowerdir={lowers},upperdir={layers}/upper,workdir={layers}/work,userxattr"
    mount("overlay", f"{STAGE}/root", "overlay", 0, options)


def _devices(plan: Plan, host: HostPaths) -> None:
    Path("/dev").mkdir(exist_ok=True)
    mount("tmpfs", "/dev", "tmpfs", MS_NOSUID | MS_NOEXEC, "mode=755,size=1m")
    for name in DEVICES:
        node = Path("/dev", name)
        node.touch()
        mount(host.link(f"/dev/{name}"), str(node), "", MS_BIND)
    for name, target in DEVICE_LINKS.items():
        Path("/dev", name).symlink_to(target)
    Path("/dev/pts").mkdir()
    pts = "newinstance,ptmxmode=0666,mode=0620,gid=5"
    mount("devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, pts)
    Path("/dev/shm").mkdir()  # noqa: S108
    mount("tmpfs", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, _memory_options(plan, "1777"))  # noqa: S108


def _extras(plan: Plan, host: HostPaths) -> None:
    for path in plan.tmpfs:
        target = os.path.realpath(path)
        Path(target).mkdir(parents=True, exist_ok=True)
        mount("tmpfs", target, "tmpfs", MS_NOSUID | MS_NODEV, _memory_options(plan, "755"))
    for bind in plan.binds:
        _bind(bind, host)


def _bind(bind: BindPlan, host: HostPaths) -> None:
    # A hostile root may have symbolic links on the way: they resolve inside it.
    source, target = host.link(bind.source), Path(os.path.realpath(bind.target))
    if Path(source).is_dir():
        target.mkdir(parents=True, exist_ok=True)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists():
            target.touch()
    mount(source, str(target), "", MS_BIND | MS_REC)
    if bind.read_only:
        flags = flags_of(str(target)) | MS_NOSUID | MS_NODEV | MS_RDONLY
        mount("none", str(target), "", MS_REMOUNT | MS_BIND | flags)
