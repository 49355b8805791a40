"""An FTP server that takes uploads as Launchpad's does: anybody may leave files in any directory.

What one session left is an upload once the session has ended.
"""

from __future__ import annotations

import contextlib
import socket
import socketserver
import tempfile
from collections.abc import Callable
from pathlib import Path

SECONDS = 120

#: Called at the end of a session: the directory that was named, the local one with its files.
Receive = Callable[[str, Path], None]


class FtpServer(socketserver.ThreadingTCPServer):
    """Listens on a free loopback port. `broken` makes it end sessions in the middle of a file."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, root: Path, receive: Receive) -> None:
        super().__init__(("127.0.0.1", 0), _Session)
        self.root = root
        self.receive = receive
        self.broken = False
        self.uploads = 0

    @property
    def host(self) -> str:
        """HOST:PORT, as dput takes it."""
        return "127.0.0.1:{1}".format(*self.server_address)


class _Session(socketserver.StreamRequestHandler):
    """One client: the few commands that clients send to upload files."""

    server: FtpServer
    timeout = SECONDS

    def handle(self) -> None:
        self.directory = ""
        self.ended = False
        self.files = Path(tempfile.mkdtemp(prefix="session-", dir=self.server.root))
        self.passive: socket.socket | None = None
        self._say("220 Launchpad upload server")
        with contextlib.suppress(OSError):
            while (line := self.rfile.readline().decode().strip()) and self._answer(line):
                pass
        self._hand_over()

    def _hand_over(self) -> None:
        """What this session left is an upload from now on, once."""
        if not self.ended and any(self.files.iterdir()):
            self.server.uploads += 1
            self.server.receive(self.directory.strip("/"), self.files)
        self.ended = True

    def _answer(self, line: str) -> bool:
        command, _, argument = line.partition(" ")
        command = command.upper()
        if command == "CWD":
            self.directory = argument
        if command in ("PASV", "EPSV"):
            self._listen(command)
        elif command == "STOR":
            return self._store(argument)
        else:
            if command == "QUIT":
                self._hand_over()  # whoever hears the answer may ask for it at once
            answers = {"USER": "331 password?", "PASS": "230 welcome", "QUIT": "221 bye", "TYPE": "200 ok"}
            self._say(answers.get(command) or ("250 ok" if command == "CWD" else "502 not here"))
        return command != "QUIT"

    def _listen(self, command: str) -> None:
        self.passive = socket.create_server(("127.0.0.1", 0))
        self.passive.settimeout(SECONDS)
        port = self.passive.getsockname()[1]
        if command == "EPSV":
            self._say(f"229 here (|||{port}|)")
        else:
            self._say(f"227 here (127,0,0,1,{port >> 8},{port & 255})")

    def _store(self, name: str) -> bool:
        assert self.passive is not None
        self._say("150 go on")
        with (
            self.passive,
            self.passive.accept()[0] as data,
            (self.files / Path(name).name).open("wb") as file,
        ):
            while chunk := data.recv(1 << 16):
                if self.server.broken:
                    return False
                file.write(chunk)
        self._say("226 taken")
        return True

    def _say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())
