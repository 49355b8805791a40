"""A small ticket system over HTTP, for the command line's own tests.

It answers what `ubuntu-ci` asks as the real one does and remembers what it
was sent; the tests of the whole engine use the real one.
"""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

TOKEN = "secret-token"
STEPS = {
    "000": "New",
    "100": "Queued",
    "200": "Package Building",
    "300": "Image Building",
    "400": "Image Testing",
    "500": "Package Publishing",
    "999": "Failed",
    "1000": "Complete",
}
IMAGE = b"QFI\xfb" + bytes(3_000_000)


def change(step: str, minute: int) -> dict[str, str]:
    """An entry of a ticket's history."""
    changed_at = f"2026-11-23T10:{minute:02}:00"
    return {"workflow_step": step, "step_name": STEPS[step], "status": "100", "changed_at": changed_at}


def shown(ticket: dict[str, Any]) -> dict[str, Any]:
    """A ticket with the names of its steps, as it is sent."""
    failed = STEPS.get(ticket["failed_workflow_step"], "")
    return ticket | {"step_name": STEPS[ticket["current_workflow_step"]], "failed_step_name": failed}


@dataclass
class TicketSystem:
    """What the server knows; tests set it up and look at it afterwards.

    `coming` holds changes to a ticket, one for each time it is read; `refuse`
    maps the start of a request (`POST bundle/`) to the status and sentence
    that answer it; `served` holds files below `file/` by name; `consoles` what the
    lander's console log is, the last for ever; `unavailable` counts requests by start to answer 503 first;
    `broken` are the starts of requests whose answers break off in the middle; `moved` is another
    server that all requests are sent to; `instead` is what all JSON is, as if another program answered.
    """

    url: str = ""
    tickets: dict[int, dict[str, Any]] = field(default_factory=dict)
    bundle: dict[str, Any] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    coming: list[dict[str, Any]] = field(default_factory=list)
    refuse: dict[str, tuple[int, str]] = field(default_factory=dict)
    served: dict[str, bytes] = field(default_factory=dict)
    consoles: list[str] = field(default_factory=list)
    unavailable: dict[str, int] = field(default_factory=dict)
    moved: str = ""
    instead: bytes = b""
    broken: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)

    def add(self, ticket_id: int, **fields: Any) -> dict[str, Any]:
        """A ticket that is there."""
        ticket = {
            "id": ticket_id,
            "title": "A title",
            "owner": "alice@example.com",
            "current_workflow_step": "000",
            "status": "000",
            "message": "",
            "failed_workflow_step": "",
            "log_url": "",
            "history": [],
            "subtickets": [],
            "artifacts": [],
        }
        self.tickets[ticket_id] = ticket | fields
        return self.tickets[ticket_id]

    def create(self, draft: dict[str, Any]) -> dict[str, Any]:
        self.bundle = draft
        self.add(7, title=draft["title"], owner=draft["owner"])
        return {"id": 7, "sources": [self._source(entry) for entry in draft["sources"]]}

    def _source(self, entry: dict[str, str]) -> dict[str, Any]:
        name = entry["changes_name"].partition("_")[0]
        listed = {
            line.split()[-1] for line in entry["changes"].split("\n") if line.startswith(" ") and "_" in line
        }
        names = {entry["changes_name"], *listed, "../../etc/passwd"}
        return {"source": name, "uploads": {n: f"{self.url}/data/{n}?signature=00ff" for n in names}}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    system: TicketSystem

    def do_GET(self) -> None:
        path = self._begin("GET")
        if path.startswith("image/"):
            self._answer(200, IMAGE)
        elif path.startswith("file/"):
            self._answer(200, self.system.served[path.removeprefix("file/").partition("?")[0]])
        elif path.startswith("job/?"):
            self._json(200, {"objects": [{"id": 4}] if self.system.consoles else []})
        elif path == "job/4/console/":
            more = len(self.system.consoles) > 1
            self._answer(200, (self.system.consoles.pop(0) if more else self.system.consoles[0]).encode())
        elif path.startswith("ticketstatus/"):
            self._json(200, self._page(path))
        elif ticket := self._ticket(path, "fullticket/"):
            self._json(200, shown(ticket))
            if self.system.coming:
                ticket.update(self.system.coming.pop(0))

    def do_POST(self) -> None:
        path = self._begin("POST")
        data = json.loads(self._body())
        if path == "bundle/":
            self._json(201, self.system.create(data))
        elif path.endswith("/retry/"):
            number = int(path.split("/")[1])
            self._json(201, self.system.add(number + 1, retry_of=number))
        elif ticket := self._ticket(path.removesuffix("cancel/"), "ticket/"):
            ticket.update(current_workflow_step="999", status="998")
            self._answer(204, b"")

    def do_PATCH(self) -> None:
        path = self._begin("PATCH")
        data = json.loads(self._body())
        if ticket := self._ticket(path.removeprefix("update").replace("ticketstatus", "ticket"), "ticket/"):
            ticket.update(data)
            self._answer(202, b"")

    def do_PUT(self) -> None:
        path = self._begin("PUT")
        self.system.files[path.removeprefix("data/").partition("?")[0]] = self._body()
        self._answer(201, b"")

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def parse_request(self) -> bool:
        """Answer what a test wants refused before anything is done."""
        if not super().parse_request():
            return False
        request = self._request()
        self.system.requests.append(request)
        self.system.tokens.append(self.headers.get("Authorization", ""))
        if key := self.headers.get("Idempotency-Key"):
            self.system.keys.append(key)
        refused = next(
            (self.system.refuse[start] for start in self.system.refuse if request.startswith(start)), None
        )
        for start, left in self.system.unavailable.items():
            if request.startswith(start) and left:
                self.system.unavailable[start] -= 1
                refused = 503, "the engine is busy"
        if self.system.moved:
            self.send_response(301)
            self.send_header("Location", self.system.moved + self.path)
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif refused:
            self._body()
            self._json(refused[0], {"error": refused[1]})
        return not (refused or self.system.moved)

    def _request(self) -> str:
        return f"{self.command} {self.path.lstrip('/').removeprefix('api/v1/')}"

    def _begin(self, method: str) -> str:
        return self._request().removeprefix(f"{method} ")

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _ticket(self, path: str, prefix: str) -> dict[str, Any] | None:
        number = path.removeprefix(prefix).strip("/")
        ticket = self.system.tickets.get(int(number))
        if ticket is None:
            self._json(404, {"error": f"there is no ticket {number}"})
        return ticket

    def _page(self, path: str) -> dict[str, Any]:
        """Two tickets at a time, newest first, without what only `fullticket` has."""
        offset = int(path.partition("offset=")[2] or 0)
        newest = [self.system.tickets[number] for number in sorted(self.system.tickets, reverse=True)]
        more = f"/api/v1/ticketstatus/?offset={offset + 2}" if len(newest) > offset + 2 else None
        left_out = ("history", "subtickets", "artifacts")
        two = [shown(ticket) for ticket in newest[offset : offset + 2]]
        page = [{key: value for key, value in ticket.items() if key not in left_out} for ticket in two]
        return {"meta": {"next": more}, "objects": page}

    def _json(self, status: int, data: object) -> None:
        self._answer(status, self.system.instead or json.dumps(data).encode())

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self._request().startswith(tuple(self.system.broken)):
            body, self.close_connection = body[: len(body) // 2], True
        self.wfile.write(body)


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away is part of a test."""


@contextmanager
def running_ticket_system(certificate: Path | None = None) -> Iterator[TicketSystem]:
    """Serve on a free loopback port until the context ends; over TLS with a certificate and its key (PEM)."""
    system = TicketSystem()
    handler = type("Handler", (_Handler,), {"system": system})
    with _Server(("127.0.0.1", 0), handler) as server:
        system.url = f"http{'s' if certificate else ''}://127.0.0.1:{server.server_port}"
        if certificate:
            tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            tls.load_cert_chain(certificate)
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield system
        finally:
            server.shutdown()
            thread.join()
