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
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

READY_SECONDS = 90
STOP_SECONDS = 20
#: Comes after a change of user, which would undo it.
DIES_WITH_US = ("setpriv", "--pdeathsig", "TERM", "--")


class ServerMissing(Exception):
    """The server's program is not on this machine."""


def free_port() -> int:
    """A loopback port that nothing listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def postgresql() -> Iterator[str]:
    """A fresh PostgreSQL; yields the URL of a database in it."""
    bin_dirs = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: float(p.parent.name))
    if not bin_dirs:
        raise ServerMissing("postgresql")
    password, port = secrets.token_hex(16), free_port()
    with _directory() as home:
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
        url = f"postgresql://uci:{password}@127.0.0.1:{port}/postgres"
        with _running(argv, home, os.environ, stop=signal.SIGINT) as server:
            _wait_until(lambda: _postgresql_answers(bin_dirs[-1], port), server, home)
            yield url


@contextlib.contextmanager
def rabbitmq() -> Iterator[str]:
    """A fresh RabbitMQ with its own epmd; yields its URL."""
    program = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
    if not program.exists():
        raise ServerMissing("rabbitmq-server")
    port, epmd_port = free_port(), free_port()
    with _directory() as home:
        env = _rabbitmq_environment(home, port, epmd_port)
        epmd = [*DIES_WITH_US, "epmd", "-address", "127.0.0.1", "-port", str(epmd_port)]
        url = f"amqp://guest:guest@127.0.0.1:{port}//"
        with (
            _running(epmd, home, env, stop=signal.SIGTERM),
            _running([*DIES_WITH_US, str(program)], home, env, stop=signal.SIGKILL) as server,
        ):
            _wait_until(lambda: _rabbitmq_has_started(home), server, home)
            yield url


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


@contextlib.contextmanager
def _directory() -> Iterator[Path]:
    home = Path(tempfile.mkdtemp(prefix="uci-test-server-"))
    try:
        yield home
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _as_ordinary_user(home: Path, user: str) -> list[str]:
    """What to put before a program that refuses to run as root; `home` becomes that user's."""
    if os.geteuid() != 0:
        return []
    for path in (home, *home.iterdir()):
        shutil.chown(path, user, user)
    return ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", "--"]


@contextlib.contextmanager
def _running(
    argv: Sequence[str], home: Path, env: Mapping[str, str], *, stop: signal.Signals
) -> Iterator[subprocess.Popen[bytes]]:
    """A program in its own process group, ended with all of it."""
    with (home / "output").open("ab") as output:
        process = subprocess.Popen(
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=home,
            env=env,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            _end(process, stop)


def _end(process: subprocess.Popen[bytes], stop: signal.Signals) -> None:
    for number in (stop, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)
            return


def _wait_until(answers: Callable[[], bool], server: subprocess.Popen[bytes], home: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while not answers():
        if server.poll() is not None or time.monotonic() > deadline:
            output = (home / "output").read_text(errors="replace")
            raise AssertionError(f"the server does not answer; it printed:\n{output[-4000:]}")
        time.sleep(0.1)
