"""Files that travel between a client and servers."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ci_utils.clients.base import CHUNK_BYTES, ServiceClient
from ci_utils.clients.download import download
from ci_utils.errors import Forbidden, Unavailable


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
    download(client, f"{server.url}/image", tmp_path / "file", lambda *now: told.append(now))
    assert (tmp_path / "file").read_bytes() == b"12345"
    assert told == [(5, 5)]


@pytest.mark.parametrize("server", [IMAGE], indirect=True)
@pytest.mark.parametrize("base", ["http://127.0.0.1:1", "http://127.0.0.1"])
def test_another_server_never_sees_the_token(server, tmp_path: Path, base: str):
    download(ServiceClient(base, "secret"), f"{server.url}/image", tmp_path / "file")
    assert b"secret" not in server.request


REFUSED = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize("server", [CREATED], indirect=True)
def test_a_store_of_files_elsewhere_never_sees_the_token(server, tmp_path: Path):
    (tmp_path / "a b.dsc").write_bytes(b"1")
    url = f"{server.url}/v1/AUTH_a/ticket.1.sources/a%20b.dsc?temp_url_sig=00ff"
    ServiceClient("http://engine.example", "secret").upload(url, tmp_path / "a b.dsc")
    assert server.request.startswith(b"PUT /v1/AUTH_a/ticket.1.sources/a%20b.dsc?temp_url_sig=00ff ")
    assert b"secret" not in server.request


@pytest.mark.parametrize("server", [REFUSED], indirect=True)
def test_a_signed_url_that_is_void_is_said_to_be_so(server, tmp_path: Path):
    (tmp_path / "a b.dsc").write_bytes(b"1")
    url = f"{server.url}/v1/AUTH_a/ticket.1.sources/a%20b.dsc?temp_url_sig=00ff"
    with pytest.raises(Forbidden) as caught:
        ServiceClient("http://engine.example", "secret").upload(url, tmp_path / "a b.dsc")
    assert caught.value.message.startswith(f"{server.url} takes the URL of a b.dsc no more; it has expired")
    assert "00ff" not in caught.value.message


def test_it_is_the_store_of_files_that_does_not_answer(tmp_path: Path):
    (tmp_path / "file").write_bytes(b"1")
    with pytest.raises(Unavailable, match=r"^http://127\.0\.0\.1:1 does not answer$"):
        ServiceClient("http://engine.example").upload("http://127.0.0.1:1/v1/AUTH_a/c/o?q", tmp_path / "file")
