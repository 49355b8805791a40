"""What the servers behind one Keystone have in common: databases, processes, and how they answer."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import psycopg2

from tests.harness.processes import DIES_WITH_US, running, wait_until

SERVE = Path(__file__).with_name("inside_services") / "serve.py"
COMMAND_SECONDS = 900


def new_database(postgresql: str, name: str) -> str:
    """The SQLAlchemy URL of a new database in the server at the URL `postgresql`."""
    connection = psycopg2.connect(postgresql)
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(f'CREATE DATABASE "{name}"')
    finally:
        connection.close()
    return urlsplit(postgresql)._replace(scheme="postgresql+psycopg2", path=f"/{name}").geturl()


def run(environment: Path, *argv: str | Path) -> None:
    """Run a program of the environment to its end; an `AssertionError` shows what it printed."""
    program, *arguments = argv
    done = subprocess.run(
        [environment / "bin" / program, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=COMMAND_SECONDS,
    )
    assert done.returncode == 0, f"{program}: {(done.stdout + done.stderr)[-4000:]}"


@contextlib.contextmanager
def serving(
    environment: Path, home: Path, application: str, port: int, settings: Mapping[str, str]
) -> Iterator[None]:
    """Serve a WSGI application (MODULE:NAME) that answers on `port`; `settings` are of its environment."""
    argv = [*DIES_WITH_US, str(environment / "bin/python"), str(SERVE), application, str(port)]
    home.mkdir(exist_ok=True)
    with running(argv, home, {**os.environ, **settings}, stop=signal.SIGTERM) as process:
        wait_until(lambda: answers(f"http://127.0.0.1:{port}/"), process, home)
        yield


def answers(url: str) -> bool:
    """Whether a server answers there, with anything but its own failure."""
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except urllib.error.HTTPError as error:
        return error.code < 500
    except OSError:
        return False


def link_debian_module(environment: Path, name: str) -> bool:
    """Let the environment import a module that Debian packages for this Python; whether there is one."""
    packages = environment / f"lib/python3.{sys.version_info.minor}/site-packages"
    found = [*Path("/usr/lib/python3/dist-packages").glob(f"{name}*")]
    for path in found:
        with contextlib.suppress(FileExistsError):
            (packages / path.name).symlink_to(path)
    return bool(found)
