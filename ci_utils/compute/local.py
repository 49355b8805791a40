"""Machines on this host: QEMU with KVM where it works, else emulated."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ci_utils.apt.mirror import Mirror
from ci_utils.compute import ssh, testbed
from ci_utils.compute.booting import wait_until_up
from ci_utils.compute.directories import MachineDirectories, machine_of
from ci_utils.compute.kvm import choose_accelerator
from ci_utils.compute.port import Compute, Instance, TestbedNeeds
from ci_utils.compute.qemu import Machine
from ci_utils.data_directory import require_writable
from ci_utils.disk_image import qcow2
from ci_utils.image_store.port import ImageStore
from ci_utils.sandbox.limits import DEFAULT_LIMITS, Limits

POLL_SECONDS = 0.2
#: An emulated machine takes 30 s; one that has not booted after this never will.
BOOT_SECONDS = 600


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


class LocalCompute(Compute):
    """Boots images of `image_store` below the directory `work_dir`.

    `mirror` gives the packages that tests need; `accelerator` is the setting
    UCI_ACCELERATOR. `memory_mib` and `cpus` are what each machine has,
    `limits` what an image's programs may take that prepare it for the tests.
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
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self._images = image_store
        self._directories = MachineDirectories(work_dir)
        self._mirror = mirror
        self._accelerator = accelerator
        self._memory_mib = memory_mib
        self._cpus = cpus
        self._limits = limits

    def check(self) -> None:
        require_writable(self._directories.root)

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
        with self._directories.new(name) as directory:
            disk, identity = directory / "disk.qcow2", ssh.new_key(directory, name)
            qcow2.create_overlay(disk, self._images.fetch(image_id, directory))
            with (directory / "preparation.log").open("wb") as log:
                testbed.prepare(
                    disk, self._mirror, needs, identity.with_suffix(".pub"),
                    limits=self._limits, log=log, timeout=timeout, cancelled=cancelled,
                )  # fmt: skip
            accelerator = choose_accelerator(self._accelerator, self._directories.root, cancelled=cancelled)
            machine = Machine(disk, accelerator=accelerator, memory_mib=self._memory_mib, cpus=self._cpus)
            instance = LocalInstance(machine, identity, accelerator)
            try:
                wait_until_up(
                    instance, running=lambda: machine.running, every=POLL_SECONDS,
                    deadline=min(deadline, time.monotonic() + BOOT_SECONDS), cancelled=cancelled,
                )  # fmt: skip
                yield instance
            finally:
                instance.delete()

    def sweep(self, prefix: str) -> list[str]:
        """See `Compute.sweep`. QEMU ends with the engine by itself; this removes what it left."""
        return [machine_of(directory) for directory in self._directories.sweep(prefix)]
