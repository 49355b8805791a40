"""A TCP proxy on loopback that breaks connections as it is told, and is true otherwise."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

PIECE_BYTES = 1 << 14


@dataclass(frozen=True)
class Fault:
    """What happens to one connection: cut after so many bytes in a direction, or answered with a status."""

    sent: int | None = None
    received: int | None = None
    status: int | None = None


@dataclass
class BreakingProxy:
    """`port` leads to `target`. Each new connection has the next of `faults`, if there is one."""

    target: int
    port: int = 0
    faults: list[Fault] = field(default_factory=list)
    connections: int = 0
    _open: set[socket.socket] = field(default_factory=set)

    def break_with(self, *faults: Fault) -> None:
        """End all connections; the next ones have these faults, one each."""
        self.faults[:] = faults
        self.connections = 0
        for connection in list(self._open):
            _end(connection)

    def carry(self, client: socket.socket) -> None:
        """Carry one connection to its end."""
        self.connections += 1
        fault = self.faults.pop(0) if self.faults else Fault()
        if fault.status:
            _answer(client, fault.status)
            return
        with socket.create_connection(("127.0.0.1", self.target)) as server:
            self._open.update((client, server))
            back = threading.Thread(target=_pump, args=(server, client, fault.received))
            back.start()
            _pump(client, server, fault.sent)
            back.join()
            self._open.difference_update((client, server))


@contextlib.contextmanager
def breaking_proxy(target: int) -> Iterator[BreakingProxy]:
    """A proxy in front of a loopback port."""
    proxy = BreakingProxy(target)

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(OSError):
                proxy.carry(self.request)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        proxy.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        try:
            yield proxy
        finally:
            server.shutdown()
            proxy.break_with()


def _pump(source: socket.socket, target: socket.socket, limit: int | None) -> None:
    """Carry bytes in one direction until it ends, or ends both after `limit` bytes."""
    with contextlib.suppress(OSError):
        while piece := source.recv(PIECE_BYTES if limit is None else min(PIECE_BYTES, limit)):
            target.sendall(piece)
            if limit is not None:
                limit -= len(piece)
                if not limit:
                    break
    _end(source)
    _end(target)


def _answer(client: socket.socket, status: int) -> None:
    read = b""
    while b"\r\n\r\n" not in read and (piece := client.recv(PIECE_BYTES)):
        read += piece
    client.sendall(f"HTTP/1.1 {status} No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())


def _end(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
