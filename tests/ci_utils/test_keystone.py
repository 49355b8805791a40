"""How long a session waits for a cloud that says nothing."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from ci_utils import keystone
from ci_utils.config import Credentials, OpenStackConfig
from ci_utils.errors import Unavailable

SHORT, SLOW = 0.3, 1.0


def credentials_of(port: int) -> Credentials:
    cloud = {
        "OS_AUTH_URL": f"http://127.0.0.1:{port}/v3",
        "OS_USERNAME": "engine",
        "OS_PASSWORD": "secret",
        "OS_PROJECT_NAME": "engine",
    }
    return OpenStackConfig.from_environment(cloud).credentials


class _SlowHandler(BaseHTTPRequestHandler):
    """Answers after a while what it was sent, and what it is asked only when the test is over."""

    over = threading.Event()

    def do_GET(self) -> None:
        self.over.wait()

    def do_PUT(self) -> None:
        time.sleep(SLOW)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """What is asked is of no interest."""


@pytest.fixture
def slow_port() -> Iterator[int]:
    _SlowHandler.over.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), _SlowHandler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        _SlowHandler.over.set()
        server.shutdown()


def test_a_keystone_that_is_silent_is_given_up_soon(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(keystone, "LOGIN_SECONDS", SHORT)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        credentials = credentials_of(silent.getsockname()[1])
        begun = time.monotonic()
        with (
            pytest.raises(Unavailable, match=r"Swift of OS_AUTH_URL .* does not answer"),
            keystone.translated(credentials, "Swift"),
        ):
            keystone.open_session(credentials).get_token()
    assert time.monotonic() - begun < 60


def test_only_what_was_sent_may_take_a_server_long(slow_port: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(keystone, "READ_SECONDS", SHORT)
    credentials = credentials_of(slow_port)
    session = keystone.open_session(credentials)
    images = f"http://127.0.0.1:{slow_port}/v2/images"

    assert session.request(f"{images}/1/file", "PUT", data=b"disk", authenticated=False).ok
    with pytest.raises(Unavailable), keystone.translated(credentials, "Glance"):
        session.request(images, "GET", authenticated=False)
