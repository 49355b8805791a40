"""Mounts an image's root file system and runs one program in it; runs inside a sandbox.

`python -m ci_utils.disk_image.mounted MOUNT` is started by `customise` as root
of a `Host` sandbox, with the image files bound below /mnt. The image becomes a
file by qemu-storage-daemon, the file a directory by fuse2fs, and the program
gets that directory as its root in namespaces of its own. When the program has
ended both are taken down in order, so that the file system is clean.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ci_utils.sandbox import launch
from ci_utils.sandbox import system_calls as kernel
from ci_utils.sandbox.plan import Plan

DAEMON, DRIVER = "qemu-storage-daemon", "fuse2fs"
PARTITION = Path("/mnt/partition")
ROOT = Path("/mnt/root")
DISKS = "/mnt/disks"
#: The exit status for "the image could not be mounted", as `launch` has it.
FAILED = launch.SETUP_FAILED
READY_SECONDS = 300
END_SECONDS = 300


@dataclass(frozen=True)
class Mount:
    """What to mount, and the program's plan as `Plan.to_json` writes it.

    The disk is the chain `/mnt/disks/0` (on top) to `/mnt/disks/DEPTH-1`, all
    qcow2; `offset` and `size` say where in it the file system lies.
    """

    depth: int
    offset: int
    size: int
    read_only: bool
    plan: str

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Mount:
        return cls(**json.loads(text))


def main() -> int:
    """Mount, run, unmount; the program's exit status."""
    mount = Mount.from_json(sys.argv[1])
    PARTITION.touch()
    ROOT.mkdir()
    daemon = _start(_daemon_arguments(mount))
    try:
        _wait(DAEMON, daemon, lambda: PARTITION.stat().st_size > 0)
        outside = ROOT.stat().st_dev
        driver = _start(_driver_arguments(mount))
        _wait(DRIVER, driver, lambda: ROOT.stat().st_dev != outside)
        status = _run(Plan.from_json(mount.plan.encode()))
        kernel.detach(str(ROOT))
        if driver.wait(END_SECONDS):
            raise OSError(f"{DRIVER} could not write the file system back")
    finally:
        daemon.send_signal(signal.SIGTERM)
        daemon.wait(END_SECONDS)
    if daemon.returncode:
        raise OSError(f"{DAEMON} could not write the image back")
    return status


def _daemon_arguments(mount: Mount) -> list[str]:
    disk: dict[str, Any] | None = None
    for level in reversed(range(mount.depth)):
        writable = level == 0 and not mount.read_only
        file = {"driver": "file", "filename": f"{DISKS}/{level}", "read-only": not writable}
        disk = {"driver": "qcow2", "file": file, "backing": disk, "read-only": not writable}
        if writable:
            disk["discard"] = "unmap"
    partition = {
        "driver": "raw",
        "node-name": "partition",
        "file": disk,
        "read-only": mount.read_only,
        "offset": mount.offset,
        "size": mount.size,
    }
    export = f"type=fuse,id=partition,node-name=partition,mountpoint={PARTITION},allow-other=off"
    access = "off" if mount.read_only else "on"
    return [DAEMON, "--blockdev", json.dumps(partition), "--export", f"{export},writable={access}"]


def _driver_arguments(mount: Mount) -> list[str]:
    access = "ro" if mount.read_only else "rw"
    options = f"{access},fakeroot,allow_other,no_default_opts,default_permissions,dev,suid,use_ino"
    return [DRIVER, "-f", "-o", options, str(PARTITION), str(ROOT)]


def _start(argv: Sequence[str]) -> subprocess.Popen[bytes]:
    # Their messages would only disturb the program's output; their exit status says enough.
    return subprocess.Popen(
        argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def _wait(name: str, process: subprocess.Popen[bytes], ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while not ready():
        if process.poll() is not None or time.monotonic() > deadline:
            raise OSError(f"{name} did not start")
        time.sleep(0.01)


def _run(plan: Plan) -> int:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        status = launch.supervise(plan, theirs)
        if status == launch.SETUP_FAILED:
            raise OSError(ours.recv(4096).decode(errors="replace").strip())
    return status


if __name__ == "__main__":
    try:
        sys.exit(main())
    except OSError as error:
        os.write(2, f"the disk image could not be mounted: {error}\n".encode())
        sys.exit(FAILED)
