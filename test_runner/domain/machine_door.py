"""The one way out of a workshop: connections to the machine under test, and to nothing else.

autopkgtest runs where there is no network. Its ssh asks here for a connection
and gets the connected socket handed over.
"""

from __future__ import annotations

import logging
import os
import shutil
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ci_utils.compute.port import Instance
from ci_utils.sandbox.sandbox import Bind
from test_runner.domain import machine_connection, virt_ssh

log = logging.getLogger(__name__)

#: The door as programs in the workshop see it.
DOOR = "/run/machine"
CONNECT_SECONDS = 30

#: What the host's Python runs in the workshop.
PROGRAMS = {machine_connection: "connect.py", virt_ssh: "virt_ssh.py"}
SSH_CONFIG = f"""\
IdentitiesOnly yes
ProxyCommand /usr/bin/python3 -IS {DOOR}/connect.py {DOOR}/socket
ProxyUseFdpass yes
ServerAliveInterval 30
ServerAliveCountMax 10
"""


@contextmanager
def open_door(instance: Instance, directory: Path) -> Iterator[Bind]:
    """Serve connections to `instance`; yields what to bind into the workshop.

    `directory` is made, with the key of the machine in it, and its parent must
    be closed to other users of this host.
    """
    directory.mkdir()
    directory.chmod(0o755)
    # ssh takes a key that others may read only if it belongs to somebody else: the engine.
    shutil.copyfile(instance.identity, directory / "key")
    (directory / "config").write_text(SSH_CONFIG)
    for program, name in PROGRAMS.items():
        shutil.copyfile(str(program.__file__), directory / name)
    for path in directory.iterdir():
        path.chmod(0o444)
    with _Door(instance, directory / "socket") as door:
        (directory / "socket").chmod(0o666)
        thread = threading.Thread(target=door.serve_forever, name="machine-door", daemon=True)
        thread.start()
        try:
            yield Bind(directory, DOOR)
        finally:
            door.shutdown()
            thread.join()
            shutil.rmtree(directory)


class _Door(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True

    def __init__(self, instance: Instance, path: Path) -> None:
        self.address = (instance.host, instance.port)
        with _short(path) as short:
            super().__init__(short, _HandOver)


class _HandOver(socketserver.BaseRequestHandler):
    server: _Door
    request: socket.socket

    def handle(self) -> None:
        try:
            with socket.create_connection(self.server.address, CONNECT_SECONDS) as connection:
                connection.settimeout(None)
                socket.send_fds(self.request, [b"\0"], [connection.fileno()])
        except OSError as error:
            log.info("the machine under test takes no connection: %s", error)


@contextmanager
def _short(path: Path) -> Iterator[str]:
    """The path by way of a descriptor: the address of a socket holds 107 bytes only."""
    folder = os.open(path.parent, os.O_PATH | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
