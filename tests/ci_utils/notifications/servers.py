"""A mail server and a webhook on loopback that remember what they were told."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from ci_utils.config import SMTPConfig

SENDER = "engine@ci.example.com"


@dataclass
class Mailbox:
    """What came in; `answers` are said to recipients before a message is taken."""

    messages: list[tuple[list[str], EmailMessage]] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    password: str = ""

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:  # noqa: N802
        if self.answers:
            return self.answers.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        message = message_from_bytes(envelope.content, policy=default)
        self.messages.append((list(envelope.rcpt_tos), message))
        return "250 OK"

    def authenticate(self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        return AuthResult(success=data.password.decode() == self.password, handled=False)


@contextmanager
def mail_server(password: str = "") -> Iterator[tuple[Mailbox, SMTPConfig]]:
    """A real SMTP server on a free port, and the settings that reach it."""
    mailbox = Mailbox(password=password)
    login: dict[str, Any] = (
        {"authenticator": mailbox.authenticate, "auth_require_tls": False} if password else {}
    )
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]  # the controller connects to itself, so it has to know it before
    controller = Controller(mailbox, hostname="127.0.0.1", port=port, ready_timeout=60, **login)
    controller.start()
    try:
        user = "engine" if password else ""
        yield (
            mailbox,
            SMTPConfig(
                host="127.0.0.1", port=port, security="none", user=user, password=password, sender=SENDER
            ),
        )
    finally:
        controller.stop()


@dataclass
class Hook:
    """A webhook's address and what it got: headers and body; `statuses` are answered first, then 204."""

    url: str = ""
    calls: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)


@contextmanager
def webhook_server() -> Iterator[Hook]:
    """A webhook on a free port."""
    hook = Hook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            hook.calls.append((dict(self.headers), body))
            self.send_response(hook.statuses.pop(0) if hook.statuses else 204)
            self.send_header("Location", "http://127.0.0.1:1/")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        hook.url = f"http://127.0.0.1:{server.server_port}/hook?a=b"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield hook
        server.shutdown()
        thread.join()
