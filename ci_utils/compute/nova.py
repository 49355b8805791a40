"""Machines in Nova, booted from images in Glance.

A server carries, beside its name, the directory and host of the process that
wants it, and the time at which that process last said that it lives: so what
a dead one left is found and deleted, and what a living one has is left alone.
Specification: chapter "Test Runner"; EPHEMERAL_CLOUD_NET_ID.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ci_utils.apt.mirror import Mirror
from ci_utils.compute import ssh
from ci_utils.compute.booting import wait_until_up
from ci_utils.compute.directories import MachineDirectories, machine_of
from ci_utils.compute.nova_cloud import NO_HOST, NoRoom, NovaCloud, Server
from ci_utils.compute.nova_owner import Owner, key_name, key_was_left, was_left
from ci_utils.compute.port import Compute, Instance, TestbedNeeds
from ci_utils.compute.running_testbed import prepare_running
from ci_utils.compute.testbed import ORDINARY_USER
from ci_utils.config import Credentials, NovaConfig
from ci_utils.data_directory import require_writable
from ci_utils.errors import (
    Cancelled,
    CIError,
    ConfigurationError,
    NotFound,
    StageFailed,
    TimedOut,
    Unavailable,
)

log = logging.getLogger(__name__)

SSH_PORT = 22
CONSOLE_BYTES = 4 << 20
POLL_SECONDS = 2.0
#: Between two tries to get a machine where there is no room.
ROOM_SECONDS = 15.0
GONE_SECONDS = 180
#: From the start to the first login. Clouds can be emulated and busy, and cloud-init has its work before it.
BOOT_SECONDS = 1800

#: For cloud-init: the network, the disk's size and root's key are what a machine of tests needs; the rest of
#: what it does takes an emulated machine a minute, and its package lists would come from elsewhere.
USER_DATA = """\
#cloud-config
disable_root: false
ssh_genkeytypes: [ed25519]
cloud_config_modules: []
cloud_final_modules: []
"""


class NovaInstance(Instance):
    """A server of Nova."""

    def __init__(self, cloud: NovaCloud, server: Server, identity: Path) -> None:
        self._cloud = cloud
        self._server_id = server.id
        self.host = server.addresses[0]
        self.port = SSH_PORT
        self.user = "root"
        self.ordinary_user = ORDINARY_USER
        self.identity = identity
        self.runs_on = f"nova {cloud.region}".strip()

    def console(self) -> bytes:
        return self._cloud.console(self._server_id)[-CONSOLE_BYTES:]

    def delete(self) -> None:
        self._cloud.delete(self._server_id)

    def runs(self) -> bool:
        """Whether Nova says so."""
        try:
            return self._cloud.get(self._server_id).status == "ACTIVE"
        except NotFound:
            return False


class NovaCompute(Compute):
    """Boots servers of the settings' flavor in their network; `work_dir` holds the key of each.

    `mirror` gives the packages that tests need.
    """

    def __init__(
        self, credentials: Credentials, settings: NovaConfig, work_dir: Path, mirror: Mirror
    ) -> None:
        self._cloud = NovaCloud(credentials)
        self._settings = settings
        self._directories = MachineDirectories(work_dir)
        self._mirror = mirror

    def check(self) -> None:
        require_writable(self._directories.root)
        self._flavor_id()

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
        """See `Compute.boot`. The image must take root's key from the cloud, as cloud-init does."""
        deadline = time.monotonic() + timeout
        with self._directories.new(name) as directory:
            owner = Owner(directory.name, self._directories.id)
            identity = ssh.new_key(directory, name)
            try:
                server = self._server(name, image_id, identity, owner, deadline, cancelled)
                instance = NovaInstance(self._cloud, server, identity)
                with owner.alive(lambda marks: self._cloud.mark(server.id, marks)):
                    wait_until_up(
                        instance, running=instance.runs, every=POLL_SECONDS,
                        deadline=min(deadline, time.monotonic() + BOOT_SECONDS), cancelled=cancelled,
                    )  # fmt: skip
                    prepare_running(
                        instance, self._mirror, needs, directory, deadline=deadline, cancelled=cancelled
                    )
                    yield instance
            finally:
                self._delete_all_of(owner)

    def sweep(self, prefix: str) -> list[str]:
        """See `Compute.sweep`. Key pairs and directories go too."""
        left = {
            server.id: server.name
            for server in self._cloud.named(prefix)
            if was_left(server.metadata, self._directories, now=time.time())
        }
        for server_id in left:
            self._cloud.delete(server_id)
        directories = self._directories.sweep(prefix)
        dead = {key_name(directory) for directory in directories}
        for key, made_at in self._cloud.keys(key_name(prefix)).items():
            if key in dead or key_was_left(made_at, now=time.time()):
                self._cloud.remove_key(key)
        return sorted({*left.values(), *map(machine_of, directories)})

    def _server(
        self,
        name: str,
        image_id: str,
        identity: Path,
        owner: Owner,
        deadline: float,
        cancelled: Callable[[], bool],
    ) -> Server:
        """A server that runs; waits for room as long as the settings say."""
        room_deadline = min(deadline, time.monotonic() + self._settings.room_wait)
        while True:
            try:
                return self._wait_until_active(
                    self._create(name, image_id, identity, owner), deadline, cancelled
                )
            except Unavailable as error:
                # Nova may have made one whose answer was lost.
                self._delete_all_of(owner)
                if time.monotonic() + ROOM_SECONDS > room_deadline:
                    raise
                log.info("machine %s waits: %s", name, error.message)
            _pause(ROOM_SECONDS, cancelled)

    def _create(self, name: str, image_id: str, identity: Path, owner: Owner) -> str:
        """The id of a new server. Nova takes the key when it makes it, and can forget it then."""
        key = key_name(owner.directory)
        try:
            self._cloud.add_key(key, identity.with_suffix(".pub").read_text())
            return self._cloud.create(
                name,
                image_id=image_id,
                flavor_id=self._flavor_id(),
                network_id=self._settings.network_id,
                key=key,
                user_data=USER_DATA,
                metadata=owner.marks(),
            )
        finally:
            # Also where the answer to its making was lost: the next try would find the name taken.
            self._cloud.remove_key(key)

    def _wait_until_active(self, server_id: str, deadline: float, cancelled: Callable[[], bool]) -> Server:
        while True:
            server = self._cloud.get(server_id)
            if server.status == "ACTIVE" and server.addresses:
                return server
            if server.status == "ACTIVE":
                raise Unavailable("Nova gave the machine no address; see EPHEMERAL_CLOUD_NET_ID")
            if server.status == "ERROR" and NO_HOST in server.fault:
                raise NoRoom("no host of the cloud has room for a machine of this flavor (UCI_NOVA_FLAVOR)")
            if server.status == "ERROR":
                reason = server.fault or "it does not say why"
                raise StageFailed(f"Nova cannot start the machine: {reason}", result={"console": b""})
            if time.monotonic() > deadline:
                raise TimedOut("Nova did not start the machine in time")
            _pause(POLL_SECONDS, cancelled)

    def _flavor_id(self) -> str:
        flavors = self._cloud.flavors()
        if self._settings.flavor not in flavors:
            known = ", ".join(sorted(flavors)) or "none"
            raise ConfigurationError(
                f"UCI_NOVA_FLAVOR: there is no flavor {self._settings.flavor}; this cloud has {known}"
            )
        return flavors[self._settings.flavor]

    def _delete_all_of(self, owner: Owner) -> None:
        """Delete whatever there is of this machine, also where Nova's answer to its making was lost."""
        deadline = time.monotonic() + GONE_SECONDS
        try:
            while left := self._cloud.named(machine_of(owner.directory)):
                ours = [server for server in left if owner.has(server.metadata)]
                for server in ours:
                    self._cloud.delete(server.id)
                if not ours or time.monotonic() > deadline:
                    return
                time.sleep(POLL_SECONDS)
        except CIError:
            # It must not hide why the machine ended; `sweep` finds what is left.
            log.exception("machine %s could not be deleted", machine_of(owner.directory))


def _pause(seconds: float, cancelled: Callable[[], bool]) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if cancelled():
            raise Cancelled("the work was cancelled")
        time.sleep(min(POLL_SECONDS, seconds))
