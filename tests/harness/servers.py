"""Starts a PostgreSQL and a RabbitMQ of the test run's own.

Each lives in a directory of its own, listens on free loopback ports only, and
dies with the test run even where that is killed.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.harness.processes import DIES_WITH_US, directory, free_port, listens, running, wait_until


class ServerMissing(Exception):
    """A server is not on this machine: a sentence that says how to install it."""


@dataclass
class Server:
    """A server that runs; tests may stop it and start it again on the same address with what it kept."""

    url: str
    _run: Callable[[], contextlib.AbstractContextManager[None]]
    _running: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def start(self) -> None:
        """Start it and wait until it answers."""
        self._running.enter_context(self._run())

    def stop(self) -> None:
        """End it: its port refuses connections until it is started again."""
        self._running.close()


@contextlib.contextmanager
def postgresql() -> Iterator[str]:
    """A fresh PostgreSQL; yields the URL of a database in it."""
    with postgresql_server() as server:
        yield server.url


@contextlib.contextmanager
def rabbitmq() -> Iterator[str]:
    """A fresh RabbitMQ with its own epmd; yields its URL."""
    with rabbitmq_server() as server:
        yield server.url


@contextlib.contextmanager
def postgresql_server() -> Iterator[Server]:
    """A fresh PostgreSQL that may be stopped and started; its URL is of a database in it."""
    bin_dirs = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: float(p.parent.name))
    if not bin_dirs:
        raise ServerMissing("postgresql is not installed; bin/setup --servers installs it")
    password, port = secrets.token_hex(16), free_port()
    with directory() as home:
        password_file = home / "password"
        password_file.write_text(password)
        as_user = _as_ordinary_user(home, "postgres")
        initdb = [str(bin_dirs[-1] / "initdb"), "--no-sync", "--no-instructions", "--encoding=UTF8"]
        initdb += ["--locale=C.UTF-8", "--auth=scram-sha-256", "--username=uci"]
        initdb += [f"--pwfile={password_file}", f"--pgdata={home / 'data'}"]
        subprocess.run([*as_user, *initdb], check=True, capture_output=True, cwd=home)
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": port,
            "unix_socket_directories": "",
            "fsync": "off",
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        argv = [*as_user, *DIES_WITH_US, str(bin_dirs[-1] / "postgres"), "-D", str(home / "data"), *options]

        @contextlib.contextmanager
        def run() -> Iterator[None]:
            with running(argv, home, os.environ, stop=signal.SIGINT) as process:
                wait_until(lambda: _postgresql_answers(bin_dirs[-1], port), process, home)
                yield

        with _started(Server(f"postgresql://uci:{password}@127.0.0.1:{port}/postgres", run)) as server:
            yield server


@contextlib.contextmanager
def rabbitmq_server() -> Iterator[Server]:
    """A fresh RabbitMQ that may be stopped and started. It has an epmd of its own."""
    program = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
    if not program.exists():
        raise ServerMissing("rabbitmq-server is not installed; bin/setup --servers installs it")
    port, epmd_port = free_port(), free_port()
    with directory() as home:
        env = _rabbitmq_environment(home, port, epmd_port)
        epmd = [*DIES_WITH_US, "epmd", "-address", "127.0.0.1", "-port", str(epmd_port)]

        @contextlib.contextmanager
        def run() -> Iterator[None]:
            (home / "output").unlink(missing_ok=True)
            with running(epmd, home, env, stop=signal.SIGTERM) as names:
                # Where none listens yet RabbitMQ starts one of its own, which would not end with the run.
                wait_until(lambda: listens(epmd_port), names, home)
                with running([*DIES_WITH_US, str(program)], home, env, stop=signal.SIGKILL) as process:
                    wait_until(lambda: _rabbitmq_has_started(home), process, home)
                    yield

        with _started(Server(f"amqp://guest:guest@127.0.0.1:{port}//", run)) as server:
            yield server


@contextlib.contextmanager
def _started(server: Server) -> Iterator[Server]:
    try:
        server.start()
        yield server
    finally:
        server.stop()


def _rabbitmq_environment(home: Path, port: int, epmd_port: int) -> dict[str, str]:
    for name in ("rabbitmq.conf", "rabbitmq-env.conf", "enabled_plugins"):
        (home / name).write_text("[].\n" if name == "enabled_plugins" else "")
    return {
        **os.environ,
        "HOME": str(home),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "ERL_EPMD_PORT": str(epmd_port),
        "RABBITMQ_NODENAME": f"uci-test-{os.getpid()}@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_DIST_PORT": str(free_port()),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        "RABBITMQ_MNESIA_BASE": str(home / "mnesia"),
        "RABBITMQ_LOG_BASE": str(home / "log"),
        "RABBITMQ_LOGS": "-",
        "RABBITMQ_PID_FILE": str(home / "pid"),
        "RABBITMQ_CONFIG_FILE": str(home / "rabbitmq"),
        "RABBITMQ_CONF_ENV_FILE": str(home / "rabbitmq-env.conf"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "enabled_plugins"),
    }


def _postgresql_answers(bin_dir: Path, port: int) -> bool:
    asked = [str(bin_dir / "pg_isready"), "--quiet", "--host=127.0.0.1", f"--port={port}"]
    return subprocess.run(asked, check=False).returncode == 0


def _rabbitmq_has_started(home: Path) -> bool:
    return b"Server startup complete" in (home / "output").read_bytes()


def _as_ordinary_user(home: Path, user: str) -> list[str]:
    """What to put before a program that refuses to run as root; `home` becomes that user's."""
    if os.geteuid() != 0:
        return []
    for path in (home, *home.iterdir()):
        shutil.chown(path, user, user)
    return ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", "--"]
