"""Starts a Swift of the test run's own: proxy, account, container and object server over one directory.

Users log in by tempauth (v1), or by a Keystone that runs already.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from tests.harness.openstack.environment import environment_of
from tests.harness.openstack.swift_settings import proxy_settings, server_settings, swift_settings
from tests.harness.processes import DIES_WITH_US, directory, free_port, listens, running, wait_until

INSIDE_SWIFT = Path(__file__).with_name("inside_swift")
KINDS = ("account", "container", "object")
ACCOUNTS = 400
KEY = "testing-key"


@dataclass
class Swift:
    """A Swift that runs; `stop_proxy` and `start_proxy` make it unreachable and forget its tokens."""

    home: Path
    environment: Path
    port: int
    _proxy: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    _accounts: Iterator[int] = field(default_factory=lambda: iter(range(ACCOUNTS)))

    @property
    def url(self) -> str:
        """The proxy's address."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def auth_url(self) -> str:
        """Where v1 tokens come from (ST_AUTH)."""
        return f"{self.url}/auth/v1.0"

    def new_user(self) -> dict[str, str]:
        """The settings of a user whose account is empty; of v1 authentication."""
        return {"ST_AUTH": self.auth_url, "ST_USER": f"test{next(self._accounts)}:engine", "ST_KEY": KEY}

    def start_proxy(self) -> None:
        """Start the proxy and wait until it answers."""
        server = self._proxy.enter_context(_server(self, "proxy"))
        wait_until(self._answers, server, self.home / "proxy")

    def stop_proxy(self) -> None:
        """End the proxy: its port refuses connections until it is started again, with no token known."""
        self._proxy.close()

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/healthcheck", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


@contextlib.contextmanager
def swift(identity: Mapping[str, object] | None = None) -> Iterator[Swift]:
    """A fresh Swift. Raises `ServerMissing`.

    With an `identity`, the settings of the middleware that asks Keystone, its users are Keystone's.
    """
    environment = environment_of("swift")
    ports = {kind: free_port() for kind in KINDS}
    with directory() as home, contextlib.ExitStack() as servers:
        server = Swift(home, environment, free_port())
        accounts = {f"user_test{number}_engine": f"{KEY} .admin" for number in range(ACCOUNTS)}
        _configure(home, {"proxy": proxy_settings(server.port, home, identity, accounts)})
        _configure(home, {kind: server_settings(kind, port, home) for kind, port in ports.items()})
        (home / "swift.conf").write_text(swift_settings())
        (home / "devices/disk").mkdir(parents=True)
        make_rings = [str(environment / "bin/python"), str(INSIDE_SWIFT / "make_rings.py"), str(home)]
        made = [*make_rings, *(f"{kind}={port}" for kind, port in ports.items())]
        subprocess.run(made, check=True, capture_output=True)
        processes = {kind: servers.enter_context(_server(server, kind)) for kind in KINDS}
        servers.callback(server.stop_proxy)
        server.start_proxy()
        for kind, process in processes.items():
            wait_until(partial(listens, ports[kind]), process, home / kind)
        yield server


def _configure(home: Path, settings: Mapping[str, str]) -> None:
    for name, text in settings.items():
        (home / name).mkdir()
        (home / f"{name}.conf").write_text(text)


def _server(swift: Swift, kind: str) -> contextlib.AbstractContextManager[subprocess.Popen[bytes]]:
    program = str(swift.environment / f"bin/swift-{kind}-server")
    argv = [*DIES_WITH_US, program, str(swift.home / f"{kind}.conf"), "verbose"]
    environ = {**os.environ, "PYTHONPATH": str(INSIDE_SWIFT)}
    return running(argv, swift.home / kind, environ, stop=signal.SIGTERM)
