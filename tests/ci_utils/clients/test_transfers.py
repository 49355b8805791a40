"""Files that travel between a client and servers."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ci_utils.clients.base import CHUNK_BYTES, ServiceClient
from ci_utils.errors import Unavailable


class OneRequest:
    """A server on loopback that keeps one request and gives one answer, byte for byte."""

    def __init__(self, answer: bytes) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.request = b""
        self._answer = answer
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        connection, _ = self._listener.accept()
        with connection, connection.makefile("rb") as stream:
            length = 0
            while (line := stream.readline()) not in (b"\r\n", b""):
                self.request += line
                if line.lower().startswith(b"content-length:"):
                    length = int(line.partition(b":")[2])
            self.body = stream.read(length)
            connection.sendall(self._answer)

    def close(self) -> None:
        self._thread.join()
        self._listener.close()


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Iterator[OneRequest]:
    one = OneRequest(request.param)
    yield one
    one.close()


CREATED = b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"
IMAGE = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n12345"
BROKEN_OFF = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n12345"


@pytest.mark.parametrize("server", [CREATED], indirect=True)
def test_an_upload_says_its_length_and_tells_how_far_it_is(server, tmp_path: Path):
    contents = b"x" * (2 * CHUNK_BYTES + 5)
    (tmp_path / "file").write_bytes(contents)
    told: list[tuple[int, int]] = []
    client = ServiceClient(server.url, "secret")
    client.upload(f"{server.url}/data/file", tmp_path / "file", lambda *now: told.append(now))
    assert server.body == contents
    assert b"Authorization: Bearer secret\r\n" in server.request
    size = len(contents)
    assert told == [(CHUNK_BYTES, size), (2 * CHUNK_BYTES, size), (size, size)]


@pytest.mark.parametrize("server", [CREATED], indirect=True)
def test_an_empty_file_is_uploaded_with_a_length_of_0(server, tmp_path: Path):
    (tmp_path / "file").touch()
    ServiceClient(server.url).upload(f"{server.url}/data/file", tmp_path / "file")
    assert b"Content-Length: 0\r\n" in server.request


@pytest.mark.parametrize("server", [IMAGE], indirect=True)
def test_a_download_tells_how_far_it_is(server, tmp_path: Path):
    told: list[tuple[int, int]] = []
    client = ServiceClient(server.url)
    client.download(f"{server.url}/image", tmp_path / "file", lambda *now: told.append(now))
    assert (tmp_path / "file").read_bytes() == b"12345"
    assert told == [(5, 5)]


@pytest.mark.parametrize("server", [BROKEN_OFF], indirect=True)
def test_a_download_that_breaks_off_is_an_error(server, tmp_path: Path):
    with pytest.raises(Unavailable, match="ended a download too early"):
        ServiceClient(server.url).download(f"{server.url}/image", tmp_path / "file")


@pytest.mark.parametrize("server", [IMAGE], indirect=True)
@pytest.mark.parametrize("base", ["http://127.0.0.1:1", "http://127.0.0.1"])
def test_another_server_never_sees_the_token(server, tmp_path: Path, base: str):
    ServiceClient(base, "secret").download(f"{server.url}/image", tmp_path / "file")
    assert b"secret" not in server.request
