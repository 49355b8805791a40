"""Runs a program in the root file system of a disk image, without root and without booting it.

The program is root of its own namespaces, sees only the image and what is
bound into it, and has no network.
"""

from __future__ import annotations

import os
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from ci_utils.commands import never
from ci_utils.disk_image import mounted, qcow2
from ci_utils.disk_image.layout import root_partition
from ci_utils.errors import ConfigurationError, InvalidRequest, NotFound, ToolFailed
from ci_utils.sandbox.limits import DEFAULT_LIMITS, Limits
from ci_utils.sandbox.sandbox import Bind, Directory, Host, Sandbox

PACKAGE = Path(__file__).resolve().parents[1]
FUSE = Path("/dev/fuse")
#: What programs that ran in an image wrote there may be without end.
MAX_READ_BYTES = 64 << 20
READ_SECONDS = 300


def customise(
    image: Path,
    argv: Sequence[str],
    *,
    binds: Sequence[Bind] = (),
    env: Mapping[str, str] | None = None,
    limits: Limits = DEFAULT_LIMITS,
    log: BinaryIO,
    timeout: float,
    cancelled: Callable[[], bool] = never,
) -> int:
    """Run a program in `image`, a qcow2 overlay that nothing else uses; return its exit status.

    The directory of `image` must be closed to other users of this host.

    `binds` appear in the image while the program runs; /run and /dev are
    private to it, and services are not started (policy-rc.d). Afterwards the
    file system is clean. Its disk is as large as the image says. Raises
    `LimitExceeded`, `TimedOut`, `Cancelled` or `ToolFailed`: then the image is
    of no use any more and is deleted.
    """
    guarded = ["/bin/sh", "-c", WITHOUT_SERVICES, "sh", *argv]
    try:
        return _run(image, guarded, binds, env or {}, limits, log, timeout, cancelled, read_only=False)
    except BaseException:
        image.unlink(missing_ok=True)
        raise


def read_file(image: Path, path: str) -> bytes:
    """The contents of a file of the image's root file system.

    `NotFound` if there is none, `InvalidRequest` if it has more than `MAX_READ_BYTES`.
    """
    with tempfile.TemporaryFile() as output:
        argv = ["head", "-c", str(MAX_READ_BYTES + 1), "--", path]
        if _run(image, argv, [], {}, DEFAULT_LIMITS, output, READ_SECONDS, never, read_only=True):
            raise NotFound(f"the image has no file {path}")
        if output.seek(0, os.SEEK_END) > MAX_READ_BYTES:
            raise InvalidRequest(f"the file {path} of the image is larger than {MAX_READ_BYTES} bytes")
        output.seek(0)
        return output.read()


#: Keeps maintainer scripts from starting services; an image's own policy stays as it was.
WITHOUT_SERVICES = r"""
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
    printf '#!/bin/sh\nexit 101\n' > $policy && chmod 755 $policy || exit 1
    trap 'rm -f $policy' EXIT
fi
"$@"
"""


def _run(
    image: Path,
    argv: Sequence[str],
    binds: Sequence[Bind],
    env: Mapping[str, str],
    limits: Limits,
    log: BinaryIO,
    timeout: float,
    cancelled: Callable[[], bool],
    *,
    read_only: bool,
) -> int:
    chain = qcow2.chain(image)
    partition = root_partition(image)
    inner = Sandbox(
        Directory(mounted.ROOT),
        binds=[Bind(Path(f"/mnt/binds/{n}"), b.target, b.read_only) for n, b in enumerate(binds)],
        tmpfs=() if read_only else ("/run",),
        nested=True,
        hostname="localhost",
    )
    mount = mounted.Mount(
        depth=len(chain),
        offset=partition.offset,
        size=partition.size,
        read_only=read_only,
        plan=inner.plan(argv, env).to_json().decode(),
    )
    with tempfile.TemporaryDirectory(prefix="uci-mount-") as scratch, _writable(image, not read_only):
        outer = Sandbox(
            Host(),
            binds=[
                Bind(PACKAGE, f"/mnt/engine/{PACKAGE.name}"),
                *(Bind(disk, f"{mounted.DISKS}/{n}", n > 0 or read_only) for n, disk in enumerate(chain)),
                *(Bind(b.source, f"/mnt/binds/{n}", b.read_only) for n, b in enumerate(binds)),
                *_fuse_device(Path(scratch)),
            ],
            limits=limits,
        )
        status = outer.run(
            [Path(sys.executable).resolve(), "-sP", "-m", mounted.__name__, mount.to_json()],
            env={"PYTHONPATH": "/mnt/engine", "PYTHONDONTWRITEBYTECODE": "1"},
            log=log,
            timeout=timeout,
            cancelled=cancelled,
        )
    if status == mounted.FAILED:
        raise ToolFailed("the disk image could not be mounted; its log says why")
    return status


@contextmanager
def _writable(image: Path, wanted: bool) -> Iterator[None]:
    """Let the sandbox's root, who is another user than the engine, write to the image meanwhile."""
    mode = stat.S_IMODE(image.stat().st_mode)
    if wanted:
        image.chmod(0o666)
    try:
        yield
    finally:
        if wanted and image.exists():
            image.chmod(mode)


def _fuse_device(scratch: Path) -> list[Bind]:
    """/dev/fuse for the sandbox where it is not open to everybody, as udev makes it.

    Containers without udev have it for root alone; root can make another.
    """
    if not FUSE.exists():
        raise ConfigurationError("this machine has no /dev/fuse; as root run: modprobe fuse")
    device = FUSE.stat()
    if device.st_mode & 0o006 == 0o006:
        return []
    if os.geteuid() != 0:
        raise ConfigurationError("/dev/fuse is not open to ordinary users; as root run: chmod 666 /dev/fuse")
    node = scratch / "fuse"
    os.mknod(node, stat.S_IFCHR, device.st_rdev)
    node.chmod(0o666)
    return [Bind(node, str(FUSE), read_only=False)]
