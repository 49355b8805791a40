"""Starts a libvirtd of the test run's own; its machines are emulated, and end with it."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.harness.processes import directory, running, wait_until
from tests.harness.servers import ServerMissing

INSIDE = Path(__file__).with_name("inside_services")
PROGRAMS = ("/usr/sbin/libvirtd", "/usr/bin/virsh", "/usr/bin/qemu-system-x86_64", "/usr/bin/genisoimage")
#: With its first process everything in the namespaces ends. `unshare` itself ends by nothing less.
DIES_WITH_US = ("setpriv", "--pdeathsig", "KILL", "--")
NAMESPACES = ("unshare", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child")


@contextlib.contextmanager
def libvirt() -> Iterator[str]:
    """The connection URI of a fresh libvirtd. Raises `ServerMissing`."""
    for program in PROGRAMS:
        if not Path(program).exists():
            raise ServerMissing(f"{program} is not installed; bin/setup --test installs it")
    if os.geteuid() != 0:
        raise ServerMissing("libvirtd can be started by root only")
    with directory() as home:
        (home / "bin").mkdir()
        shutil.copy(INSIDE / "qemu", home / "bin/qemu-system-x86_64")
        argv = [*DIES_WITH_US, *NAMESPACES, "sh", str(INSIDE / "libvirt.sh"), str(home)]
        uri = f"qemu+unix:///system?socket={home}/sock/libvirt-sock"
        with running(argv, home, os.environ, stop=signal.SIGKILL) as process:
            wait_until(lambda: _answers(uri), process, home)
            yield uri


def _answers(uri: str) -> bool:
    asked = ["virsh", "-c", uri, "version"]
    try:
        return subprocess.run(asked, capture_output=True, check=False, timeout=60).returncode == 0
    except subprocess.TimeoutExpired:
        return False
