"""Starts a Keystone of the test run's own: who the users of the other servers are."""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import os
import secrets
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.harness.openstack.environment import environment_of
from tests.harness.openstack.ini import ini
from tests.harness.openstack.services import new_database, run, serving
from tests.harness.processes import directory, free_port

REGION = "RegionOne"
SERVICE_PROJECT = "service"
#: Which users the servers themselves are.
SERVICE_USERS = ("glance", "neutron", "nova", "placement", "swift")


@dataclass
class Keystone:
    """A Keystone that runs, with a user `admin` and one for each server."""

    url: str
    home: Path
    postgresql: str
    admin_password: str
    service_password: str
    _token: str = ""
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def new_user(self) -> dict[str, str]:
        """The settings (OS_*) of a member of a project that has nothing yet."""
        name, password = f"project-{next(self._numbers)}", secrets.token_hex(8)
        self._user(name, password, self._project(name), "member")
        return self._settings(name, password, name)

    def project_id(self, user: Mapping[str, str]) -> str:
        """The id of the project of a user's settings."""
        name = user["OS_PROJECT_NAME"]
        return str(self._ask("GET", f"/projects?name={name}")["projects"][0]["id"])

    def register(self, kind: str, name: str, url: str, *, region: str = REGION) -> None:
        """Put a server into the catalogue, for example kind "image"."""
        if region != REGION:
            self._ask("PUT", f"/regions/{region}", {"region": {}})
        service = self._ask("POST", "/services", {"service": {"type": kind, "name": name}})["service"]
        for interface in ("public", "internal", "admin"):
            endpoint = {
                "service_id": service["id"],
                "interface": interface,
                "url": url,
                "region_id": region,
            }
            self._ask("POST", "/endpoints", {"endpoint": endpoint})

    def forget_tokens(self) -> None:
        """From now on no token that was given is valid; new ones are given as before."""
        _write_keys(self.home / "fernet")
        self._token = ""

    def client_settings(self, user: str) -> dict[str, object]:
        """How a server logs in as its own user, as keystoneauth reads it from a section of settings."""
        return {
            "auth_url": self.url,
            "auth_type": "password",
            "user_domain_id": "default",
            "project_domain_id": "default",
            "project_name": SERVICE_PROJECT,
            "username": user,
            "password": self.service_password,
            "region_name": REGION,
        }

    def middleware_settings(self, user: str) -> dict[str, object]:
        """The section `keystone_authtoken` of a server; it asks about each token each time."""
        return {
            **self.client_settings(user),
            "www_authenticate_uri": self.url,
            "service_token_roles_required": True,
            "token_cache_time": -1,
        }

    def populate(self) -> None:
        """Make the users of the servers."""
        self._role("service")
        project = self._project(SERVICE_PROJECT)
        for user in SERVICE_USERS:
            self._user(user, self.service_password, project, "admin", "service")

    def token(self) -> str:
        """A token of the administrator."""
        if not self._token:
            user = {"name": "admin", "domain": {"id": "default"}, "password": self.admin_password}
            scope = {"project": {"name": "admin", "domain": {"id": "default"}}}
            identity = {"methods": ["password"], "password": {"user": user}}
            headers, _ = self._send("POST", "/auth/tokens", {"auth": {"identity": identity, "scope": scope}})
            self._token = headers["X-Subject-Token"]
        return self._token

    def _settings(self, username: str, password: str, project: str) -> dict[str, str]:
        return {
            "OS_AUTH_URL": self.url,
            "OS_USERNAME": username,
            "OS_PASSWORD": password,
            "OS_PROJECT_NAME": project,
            "OS_REGION_NAME": REGION,
        }

    def _project(self, name: str) -> str:
        project = {"name": name, "domain_id": "default"}
        return str(self._ask("POST", "/projects", {"project": project})["project"]["id"])

    def _user(self, name: str, password: str, project: str, *roles: str) -> None:
        user = {"name": name, "password": password, "domain_id": "default"}
        user_id = self._ask("POST", "/users", {"user": user})["user"]["id"]
        for role in roles:
            self._ask("PUT", f"/projects/{project}/users/{user_id}/roles/{self._role(role)}")

    def _role(self, name: str) -> str:
        known = {role["name"]: role["id"] for role in self._ask("GET", "/roles")["roles"]}
        if name not in known:
            known[name] = self._ask("POST", "/roles", {"role": {"name": name}})["role"]["id"]
        return str(known[name])

    def _ask(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        self.token()
        return self._send(method, path, body)[1]

    def _send(self, method: str, path: str, body: object = None) -> tuple[Any, dict[str, Any]]:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", "X-Auth-Token": self._token}
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=300) as answer:
                return answer.headers, json.loads(answer.read() or b"{}")
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{method} {path}: {error.code} {error.read()[:500]!r}") from None


@contextlib.contextmanager
def keystone(postgresql: str) -> Iterator[Keystone]:
    """A fresh Keystone on the database server at a URL. Raises `ServerMissing`."""
    environment, port = environment_of("keystone"), free_port()
    with directory() as home:
        server = Keystone(
            f"http://127.0.0.1:{port}/v3", home, postgresql, secrets.token_hex(16), secrets.token_hex(16)
        )
        for keys in ("fernet", "credential"):
            (home / keys).mkdir(mode=0o700)
            _write_keys(home / keys)
        config = home / "keystone.conf"
        config.write_text(ini(_settings(home, new_database(postgresql, "keystone"))))
        manage = ("keystone-manage", "--config-file", config)
        run(environment, *manage, "db_sync")
        addresses = [f"--bootstrap-{kind}-url={server.url}" for kind in ("public", "internal", "admin")]
        password = f"--bootstrap-password={server.admin_password}"
        run(environment, *manage, "bootstrap", password, f"--bootstrap-region-id={REGION}", *addresses)
        where = {"OS_KEYSTONE_CONFIG_DIR": str(home)}
        with serving(environment, home / "api", "keystone.wsgi.api:application", port, where):
            server.populate()
            yield server


def _settings(home: Path, database: str) -> dict[str, dict[str, object]]:
    return {
        "DEFAULT": {"use_stderr": True},
        "database": {"connection": database},
        "fernet_tokens": {"key_repository": home / "fernet"},
        "fernet_receipts": {"key_repository": home / "fernet"},
        "credential": {"key_repository": home / "credential"},
        "identity": {"password_hash_rounds": 4},
        # Without it each request takes half a second.
        "cache": {"enabled": True, "backend": "oslo_cache.dict"},
    }


def _write_keys(repository: Path) -> None:
    for number in ("0", "1"):
        key = repository / f".{number}"
        key.write_bytes(base64.urlsafe_b64encode(os.urandom(32)))
        key.rename(repository / number)
