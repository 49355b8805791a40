"""Starts a Nova of the test run's own: Placement, the API, a scheduler, a conductor and one host.

Its machines are real: libvirt boots them with QEMU, emulated, from images of
the Glance that runs. Their network is `network`'s.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.harness.openstack.environment import environment_of
from tests.harness.openstack.glance import Glance
from tests.harness.openstack.keystone import Keystone
from tests.harness.openstack.libvirt import libvirt
from tests.harness.openstack.network import Network, network
from tests.harness.openstack.nova_settings import nova_settings, placement_settings
from tests.harness.openstack.services import link_debian_module, new_database, run, serving
from tests.harness.processes import DIES_WITH_US, directory, free_port, running, wait_until
from tests.harness.servers import ServerMissing

#: The flavors there are: memory in MiB, processors, disk in GiB. No host has a disk for the second.
FLAVORS = {"m1.small": (1024, 2, 5), "too.large": (1024, 2, 1 << 20)}


@dataclass
class Nova:
    """A Nova that runs."""

    glance: Glance
    url: str
    network: Network

    @property
    def keystone(self) -> Keystone:
        """Who knows its users."""
        return self.glance.keystone

    def new_user(self) -> dict[str, str]:
        """The settings of a user whose project has nothing yet."""
        return {**self.keystone.new_user(), "EPHEMERAL_CLOUD_NET_ID": self.network.network_id}

    def ask(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        """Ask the API as the administrator."""
        return _ask(self.keystone, method, f"{self.url}/{path}", body)

    def make_flavors(self) -> None:
        """Make `FLAVORS`."""
        for name, (memory, processors, disk) in FLAVORS.items():
            flavor = {"name": name, "ram": memory, "vcpus": processors, "disk": disk}
            self.ask("POST", "flavors", {"flavor": flavor})


@contextlib.contextmanager
def nova(glance: Glance, rabbitmq: str) -> Iterator[Nova]:
    """A fresh Nova. Raises `ServerMissing`."""
    keystone, port = glance.keystone, free_port()
    environment = environment_of("nova")
    if not link_debian_module(environment, "libvirt"):
        raise ServerMissing("python3-libvirt is not installed; bin/setup --test installs it")
    with directory() as home, contextlib.ExitStack() as servers:
        placement_url = servers.enter_context(_placement(environment, keystone))
        net = servers.enter_context(network())
        virtual = servers.enter_context(libvirt())
        shutil.copy(environment / "etc/nova/api-paste.ini", home)
        for name in ("instances", "lock"):
            (home / name).mkdir()
        config = home / "nova.conf"
        config.write_text(
            nova_settings(home, environment, keystone, rabbitmq=rabbitmq, libvirt=virtual, network=net.url)
        )
        manage = ("nova-manage", "--config-file", config)
        run(environment, *manage, "api_db", "sync")
        run(
            environment,
            *manage,
            "cell_v2",
            "map_cell0",
            "--database_connection",
            new_database(keystone.postgresql, "nova_cell0"),
        )
        run(environment, *manage, "db", "sync")
        run(environment, *manage, "cell_v2", "create_cell", "--name", "cell1")
        processes = [
            servers.enter_context(_process(environment, home, n)) for n in ("conductor", "scheduler")
        ]
        application, where = "nova.wsgi.osapi_compute:application", {"OS_NOVA_CONFIG_DIR": str(home)}
        servers.enter_context(serving(environment, home / "api", application, port, where))
        server = Nova(glance, f"http://127.0.0.1:{port}/v2.1", net)
        keystone.register("compute", "nova", server.url)
        compute = servers.enter_context(_process(environment, home, "compute"))
        wait_until(lambda: _has_host(keystone, placement_url), compute, home / "compute")
        assert all(process.poll() is None for process in processes), "a process of Nova has ended"
        run(environment, *manage, "cell_v2", "discover_hosts")
        server.make_flavors()
        yield server


@contextlib.contextmanager
def _placement(environment: Path, keystone: Keystone) -> Iterator[str]:
    port = free_port()
    with directory() as home:
        config = home / "placement.conf"
        config.write_text(placement_settings(keystone))
        run(environment, "placement-manage", "--config-file", config, "db", "sync")
        where = {"OS_PLACEMENT_CONFIG_DIR": str(home)}
        with serving(environment, home / "api", "placement.wsgi.api:application", port, where):
            url = f"http://127.0.0.1:{port}"
            keystone.register("placement", "placement", url)
            yield url


@contextlib.contextmanager
def _process(environment: Path, home: Path, name: str) -> Iterator[Any]:
    argv = [*DIES_WITH_US, str(environment / f"bin/nova-{name}"), "--config-file", str(home / "nova.conf")]
    (home / name).mkdir()
    # Nothing of it is kept; a host that ends by itself first waits for its machines.
    with running(argv, home / name, os.environ, stop=signal.SIGKILL) as process:
        yield process


def _has_host(keystone: Keystone, placement_url: str) -> bool:
    return bool(_ask(keystone, "GET", f"{placement_url}/resource_providers")["resource_providers"])


def _ask(keystone: Keystone, method: str, url: str, body: object = None) -> dict[str, Any]:
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json", "X-Auth-Token": keystone.token()}
    request = urllib.request.Request(url, data, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=300) as answer:
            found: dict[str, Any] = json.loads(answer.read() or b"{}")
            return found
    except urllib.error.HTTPError as error:
        raise AssertionError(f"{method} {url}: {error.code} {error.read()[:500]!r}") from None
