"""A machine booted by hand, as the bare tools need it."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

BOOT_SECONDS = 600


@dataclass(frozen=True)
class Machine:
    """A QEMU machine whose ssh answers on this host's `port` to `key`."""

    port: int
    key: Path

    @classmethod
    @contextmanager
    def boot(cls, disk: Path, key: Path) -> Iterator[Machine]:
        """Boot a disk without KVM and wait until root can log in; it has a network of its own."""
        machine = cls(_free_port(), key)
        forward = f"user,id=net,hostfwd=tcp:127.0.0.1:{machine.port}-:22"
        command = ["qemu-system-x86_64", "-machine", "q35", "-accel", "tcg", "-cpu", "max", "-smp", "2"]
        command += ["-m", "2048", "-display", "none", "-drive", f"file={disk},if=virtio,format=qcow2"]
        command += ["-netdev", forward, "-device", "virtio-net-pci,netdev=net", "-device", "virtio-rng-pci"]
        with subprocess.Popen(command, stdin=subprocess.DEVNULL) as process:
            try:
                machine._wait(process)
                yield machine
            finally:
                process.kill()

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + BOOT_SECONDS
        while process.poll() is None and time.monotonic() < deadline:
            if self._answers():
                return
            time.sleep(0.5)
        raise TimeoutError(f"the machine did not boot within {BOOT_SECONDS} seconds")

    def _answers(self) -> bool:
        ssh = shutil.which("ssh") or "ssh"
        options = [
            "BatchMode=yes",
            "StrictHostKeyChecking=no",
            "UserKnownHostsFile=/dev/null",
            "ConnectTimeout=5",
        ]
        command = [ssh, "-q", "-F", "none", "-i", str(self.key), "-p", str(self.port)]
        command += [word for option in options for word in ("-o", option)]
        command += ["root@127.0.0.1", "true"]
        try:
            return subprocess.run(command, stdin=subprocess.DEVNULL, timeout=30, check=False).returncode == 0
        except subprocess.TimeoutExpired:
            return False


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
    return port
