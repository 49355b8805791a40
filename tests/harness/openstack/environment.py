"""The Python environment that the OpenStack servers of the tests run from.

It is made by pip where a run first needs it, kept beside the other slow things
of `TEST_CACHE`, and named by its pins: new ones make a new environment.
"""

from __future__ import annotations

import fcntl
import hashlib
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.cache import TEST_CACHE
from tests.harness.servers import ServerMissing

CONSTRAINTS = Path(__file__).with_name("constraints.txt")
INSTALL_SECONDS = 900
#: What pip installs for each server.
PACKAGES: Mapping[str, tuple[str, ...]] = {
    "swift": ("swift", "keystonemiddleware"),
    "keystone": ("keystone", "keystonemiddleware", "psycopg2-binary", "waitress"),
    "glance": ("glance", "psycopg2-binary", "waitress"),
    "nova": ("nova", "openstack-placement", "psycopg2-binary", "waitress"),
}


def environment_of(*servers: str) -> Path:
    """The virtual environment, with these servers (names of `PACKAGES`) installed.

    Raises `ServerMissing`, with what pip said last, where one cannot be installed.
    """
    directory = TEST_CACHE / f"openstack-{_name()}"
    TEST_CACHE.mkdir(mode=0o755, parents=True, exist_ok=True)
    with directory.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (directory / "bin/pip").exists():
            _run([sys.executable, "-m", "venv", "--clear", str(directory)], "a virtual environment")
        for server in servers:
            _install(directory, server)
    return directory


def _install(directory: Path, server: str) -> None:
    stamp, packages = directory / f".has-{server}", " ".join(PACKAGES[server])
    if stamp.exists() and stamp.read_text() == packages:
        return
    pip = [str(directory / "bin/python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _run([*pip, "--constraint", str(CONSTRAINTS), *PACKAGES[server]], server)
    stamp.write_text(packages)


def _run(argv: list[str], what: str) -> None:
    done = subprocess.run(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
        timeout=INSTALL_SECONDS,
    )
    if done.returncode:
        said = done.stdout.strip().splitlines() or ["nothing was said"]
        raise ServerMissing(f"{what} is not there, and pip does not make it in {TEST_CACHE}: {said[-1]}")


def _name() -> str:
    return hashlib.sha256(CONSTRAINTS.read_bytes() + sys.version.encode()).hexdigest()[:12]
