"""Machines on this host: QEMU with KVM where it works, else emulated."""

from __future__ import annotations

import contextlib
import fcntl
import re
import shutil
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ci_utils.apt.mirror import Mirror
from ci_utils.commands import run
from ci_utils.compute import testbed
from ci_utils.compute.kvm import choose_accelerator
from ci_utils.compute.port import Compute, Instance, TestbedNeeds
from ci_utils.compute.qemu import Machine
from ci_utils.disk_image import qcow2
from ci_utils.errors import Cancelled, InvalidRequest, StageFailed, TimedOut, ToolFailed
from ci_utils.image_store.port import ImageStore

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
LOCK = "lock"
#: An emulated machine takes 30 s; one that has not booted after this never will.
BOOT_SECONDS = 600
POLL_SECONDS = 0.2
LOGIN_SECONDS = 30
#: What a console says when the boot has failed for good.
DEAD_END = re.compile(
    rb"(Kernel panic - not syncing[^\r\n]*|No bootable device|\(initramfs\) |"
    rb"grub rescue>|error: you need to load the kernel first|error: no such (?:device|partition)[^\r\n]*|"
    rb"You are in emergency mode|Failed to mount [^\r\n]*root)"
)


class LocalInstance(Instance):
    """A QEMU machine of this process."""

    def __init__(self, machine: Machine, identity: Path, runs_on: str) -> None:
        self._machine = machine
        self.host = "127.0.0.1"
        self.port = machine.port
        self.user = "root"
        self.ordinary_user = testbed.ORDINARY_USER
        self.identity = identity
        self.runs_on = runs_on

    def console(self) -> bytes:
        return self._machine.console()

    def delete(self) -> None:
        self._machine.stop()

    def answers(self) -> bool:
        """Whether somebody can log in."""
        with contextlib.suppress(OSError), socket.create_connection((self.host, self.port), 2) as connection:
            # QEMU takes the connection at once; only the guest's sshd sends a banner.
            connection.settimeout(2)
            return connection.recv(4) == b"SSH-" and self._logs_in()
        return False

    def _logs_in(self) -> bool:
        options = [
            "BatchMode=yes",
            "StrictHostKeyChecking=no",
            "UserKnownHostsFile=/dev/null",
            "LogLevel=ERROR",
        ]
        argv = ["ssh", "-F", "none", "-i", str(self.identity), "-p", str(self.port)]
        argv += [argument for option in options for argument in ("-o", option)]
        try:
            run([*argv, f"{self.user}@{self.host}", "true"], timeout=LOGIN_SECONDS)
        except (ToolFailed, TimedOut):
            return False
        return True


class LocalCompute(Compute):
    """Boots images of `image_store` below the directory `work_dir`.

    `mirror` gives the packages that tests need; `accelerator` is the setting
    UCI_ACCELERATOR. `memory_mib` and `cpus` are what each machine has.
    """

    def __init__(
        self,
        image_store: ImageStore,
        work_dir: Path,
        mirror: Mirror,
        accelerator: str = "auto",
        *,
        memory_mib: int = 2048,
        cpus: int = 2,
    ) -> None:
        self._images = image_store
        self._work_dir = work_dir
        self._mirror = mirror
        self._accelerator = accelerator
        self._memory_mib = memory_mib
        self._cpus = cpus
        work_dir.mkdir(mode=0o700, parents=True, exist_ok=True)

    @contextmanager
    def boot(
        self,
        image_id: str,
        *,
        name: str,
        needs: TestbedNeeds = TestbedNeeds(),  # noqa: B008 -- as the port has it; it is frozen
        timeout: float,
        cancelled: Callable[[], bool],
    ) -> Iterator[Instance]:
        """See `Compute.boot`. The machine has no network beside the way in."""
        deadline = time.monotonic() + timeout
        with self._directory(name) as directory:
            disk, identity = directory / "disk.qcow2", directory / "key"
            run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", identity])
            qcow2.create_overlay(disk, self._images.fetch(image_id, directory))
            with (directory / "preparation.log").open("wb") as log:
                testbed.prepare(
                    disk, self._mirror, needs, identity.with_suffix(".pub"),
                    log=log, timeout=timeout, cancelled=cancelled,
                )  # fmt: skip
            accelerator = choose_accelerator(self._accelerator, self._work_dir)
            machine = Machine(disk, accelerator=accelerator, memory_mib=self._memory_mib, cpus=self._cpus)
            instance = LocalInstance(machine, identity, accelerator)
            try:
                _wait_until_up(machine, instance, deadline, cancelled)
                yield instance
            finally:
                instance.delete()

    def sweep(self, prefix: str) -> list[str]:
        """See `Compute.sweep`. QEMU ends with the engine by itself; this removes what it left."""
        swept = []
        for lock_file in sorted(self._work_dir.glob(f"*/{LOCK}")):
            name = lock_file.parent.name.rpartition("~")[0]
            if name.startswith(prefix):
                with contextlib.suppress(BlockingIOError, FileNotFoundError), lock_file.open("r+") as lock:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(lock_file.parent)
                    swept.append(name)
        return swept

    @contextmanager
    def _directory(self, name: str) -> Iterator[Path]:
        """A private directory of one machine; its lock tells `sweep` that the owner lives."""
        if not NAME.fullmatch(name):
            raise InvalidRequest(f"{name[:100]!r} is not a name for a machine")
        with (
            tempfile.TemporaryDirectory(prefix=f"{name}~", dir=self._work_dir) as directory,
            (Path(directory) / LOCK).open("w") as lock,
        ):
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield Path(directory)


def _wait_until_up(
    machine: Machine, instance: LocalInstance, deadline: float, cancelled: Callable[[], bool]
) -> None:
    deadline = min(deadline, time.monotonic() + BOOT_SECONDS)
    while not instance.answers():
        console = machine.console()
        if found := DEAD_END.search(console):
            reason = found[1].decode(errors="replace").strip()
            raise StageFailed(f"the image does not boot: {reason}", result={"console": console})
        if not machine.running:
            raise StageFailed(
                "the image does not boot: the machine switched itself off", result={"console": console}
            )
        if time.monotonic() > deadline:
            raise StageFailed(
                "the image does not boot: ssh did not answer in time", result={"console": console}
            )
        if cancelled():
            raise Cancelled("the work was cancelled")
        time.sleep(POLL_SECONDS)
