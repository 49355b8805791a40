"""Reaches a machine over ssh with the key that was made for it."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path

from ci_utils.commands import POLL_SECONDS, never, run, run_logged
from ci_utils.compute.port import Instance
from ci_utils.errors import Cancelled, TimedOut

BANNER_SECONDS = 5
#: A first login on an emulated machine that has much else to do can take a minute.
LOGIN_SECONDS = 120
#: A machine is new each time and its key known to nobody, so there is no host key to compare with.
OPTIONS = ("BatchMode=yes", "StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR")


def new_key(directory: Path, comment: str) -> Path:
    """Make a key; the path of its private half, the public one has `.pub` at its end."""
    identity = directory / "key"
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", identity])
    return identity


def command(instance: Instance, remote: str) -> list[str]:
    """What runs the shell command `remote` on the machine."""
    argv = ["ssh", *_options(instance), "-p", str(instance.port)]
    return [*argv, f"{instance.user}@{instance.host}", remote]


def copy_command(instance: Instance, source: Path, target: str) -> list[str]:
    """What copies a directory of this host to the machine."""
    host = f"[{instance.host}]" if ":" in instance.host else instance.host
    argv = ["scp", "-q", "-r", *_options(instance), "-P", str(instance.port)]
    return [*argv, "--", str(source), f"{instance.user}@{host}:{target}"]


def answers(instance: Instance, cancelled: Callable[[], bool] = never) -> bool:
    """Whether somebody can log in. Raises `Cancelled`."""
    address = (instance.host, instance.port)
    with contextlib.suppress(OSError), socket.create_connection(address, BANNER_SECONDS) as connection:
        # QEMU takes the connection at once; only the guest's sshd sends a banner.
        return _banner(connection, cancelled) == b"SSH-" and _logs_in(instance, cancelled)
    return False


def _banner(connection: socket.socket, cancelled: Callable[[], bool]) -> bytes:
    """How what the machine sends first begins; empty if it sends nothing for a while."""
    deadline = time.monotonic() + BANNER_SECONDS
    connection.settimeout(POLL_SECONDS)
    while True:
        try:
            return connection.recv(4)
        except TimeoutError:
            if time.monotonic() > deadline:
                return b""
            if cancelled():
                raise Cancelled("the work was cancelled") from None


def _logs_in(instance: Instance, cancelled: Callable[[], bool]) -> bool:
    try:
        with Path(os.devnull).open("wb") as nowhere:
            argv = command(instance, "true")
            return run_logged(argv, log=nowhere, timeout=LOGIN_SECONDS, cancelled=cancelled) == 0
    except TimedOut:
        return False


def _options(instance: Instance) -> list[str]:
    argv = ["-F", "none", "-i", str(instance.identity)]
    return argv + [argument for option in OPTIONS for argument in ("-o", option)]
