"""Stands in for Neutron: one network, whose machines answer ssh on loopback.

Nova asks for a port for each machine and gets an address of 127.0.0.0/8; its
last three bytes are those of the port's MAC address. `inside_services/qemu`
makes the machine's ssh answer there. Nothing else of a network is real.
"""

from __future__ import annotations

import contextlib
import http.server
import json
import secrets
import threading
import uuid
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

Resource = dict[str, Any]

SUBNET: Resource = {"cidr": "127.0.0.0/8", "ip_version": 4, "gateway_ip": None, "enable_dhcp": True}


class Network(http.server.ThreadingHTTPServer):
    """What Nova sees of Neutron; `network_id` is its one network."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.network_id, subnet_id = str(uuid.uuid4()), str(uuid.uuid4())
        # Two runs on one machine do not meet.
        self._prefix = [secrets.randbelow(250) + 2, secrets.randbelow(250) + 2]
        self._made = 0
        self._lock = threading.Lock()
        owner = {"tenant_id": "tests", "project_id": "tests"}
        network: Resource = {"id": self.network_id, "name": "tests", "subnets": [subnet_id], "mtu": 1500}
        network |= {"shared": True, "admin_state_up": True, "status": "ACTIVE", **owner}
        network |= {"port_security_enabled": False, "router:external": False}
        subnet: Resource = {
            "id": subnet_id,
            "name": "tests",
            "network_id": self.network_id,
            **SUBNET,
            **owner,
        }
        subnet |= {"dns_nameservers": [], "host_routes": []}
        group: Resource = {"id": str(uuid.uuid4()), "name": "default", "security_group_rules": [], **owner}
        self.resources: dict[str, dict[str, Resource]] = {
            "networks": {self.network_id: network},
            "subnets": {subnet_id: subnet},
            "security-groups": {group["id"]: group},
            "ports": {},
            "floatingips": {},
            "extensions": {},
        }

    @property
    def url(self) -> str:
        """Where Nova reaches it."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def make_port(self, wanted: Mapping[str, Any]) -> Resource:
        """A port with the next address."""
        with self._lock:
            self._made += 1
            number = self._made % 250 + 2
        place = [*self._prefix, number]
        subnet_id = next(iter(self.resources["subnets"]))
        address = "127." + ".".join(map(str, place))
        port: Resource = {
            "id": str(uuid.uuid4()),
            "name": "",
            "mac_address": "fa:16:3e:" + ":".join(f"{byte:02x}" for byte in place),
            "fixed_ips": [{"subnet_id": subnet_id, "ip_address": address}],
            "status": "ACTIVE",
            "security_groups": [],
            "binding:profile": {},
            "binding:vnic_type": "normal",
            # The one kind for which Nova and libvirt change nothing of the host.
            "binding:vif_type": "vhostuser",
            "binding:vif_details": {"vhostuser_socket": "/nowhere", "vhostuser_mode": "client"},
            **wanted,
        }
        self.resources["ports"][port["id"]] = port
        return port


class _Answers(http.server.BaseHTTPRequestHandler):
    server: Network

    def do_GET(self) -> None:
        kind, resource_id, query = self._asked()
        if kind == "quotas":
            self._answer(200, {"quota": {"port": -1, "network": -1}})
        elif resource_id:
            found = self.server.resources[kind].get(resource_id)
            self._answer(200, {_singular(kind): found}) if found else self._answer(404, {})
        else:
            found_all = [r for r in self.server.resources[kind].values() if _fits(r, query)]
            self._answer(200, {kind.replace("-", "_"): found_all})

    def do_POST(self) -> None:
        self._answer(201, {"port": self.server.make_port(self._body()["port"])})

    def do_PUT(self) -> None:
        kind, resource_id, _ = self._asked()
        changed = self.server.resources[kind].get(resource_id, {})
        changed |= self._body()[_singular(kind)]
        self._answer(200, {_singular(kind): changed})

    def do_DELETE(self) -> None:
        kind, resource_id, _ = self._asked()
        self._answer(204 if self.server.resources[kind].pop(resource_id, None) else 404, None)

    def log_message(self, format: str, *args: object) -> None:
        pass

    def _asked(self) -> tuple[str, str, list[tuple[str, str]]]:
        parts = urlsplit(self.path)
        kind, _, resource_id = parts.path.removeprefix("/v2.0/").partition("/")
        return kind, resource_id, parse_qsl(parts.query)

    def _body(self) -> dict[str, Any]:
        body: dict[str, Any] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        return body

    def _answer(self, status: int, body: object) -> None:
        data = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def _singular(kind: str) -> str:
    return kind.removesuffix("s").replace("-", "_")


def _fits(resource: Resource, query: list[tuple[str, str]]) -> bool:
    """Whether a resource is one that was asked for; several values of one name are alternatives."""
    wanted: dict[str, set[str]] = {}
    for name, value in query:
        wanted.setdefault(name, set()).add(value.lower())
    return all(
        str(resource[name]).lower() in values
        for name, values in wanted.items()
        if name in resource and name not in ("tenant_id", "project_id")
    )


@contextlib.contextmanager
def network() -> Iterator[Network]:
    """The network, answering Nova until the end."""
    with Network() as server:
        thread = threading.Thread(target=server.serve_forever, name="network", daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
