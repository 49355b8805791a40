"""Downloads that break off and go on."""

from __future__ import annotations

import base64
import hashlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ci_utils.clients import download as downloads
from ci_utils.clients.base import ServiceClient
from ci_utils.clients.download import download
from ci_utils.errors import CIError, Unavailable

CONTENT = bytes(range(256)) * 4 * 256
PIECE = downloads.PIECE_BYTES


@dataclass
class FileServer:
    """Serves `content` with ranges; `break_after`: after how many bytes each of the answers breaks off."""

    url: str = ""
    content: bytes = CONTENT
    says_digest: bool = True
    digest_of: bytes = b""
    tag: str = '"1"'
    break_after: list[int] = field(default_factory=list)
    ranges: list[str] = field(default_factory=list)

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        asked = handler.headers.get("Range", "")
        self.ranges.append(asked)
        if handler.headers.get("If-Range", self.tag) != self.tag:
            asked = ""
        start = int(asked.removeprefix("bytes=").rstrip("-") or 0)
        body = self.content[start:]
        if asked and not body:
            handler.send_response(416)
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            return
        handler.send_response(206 if asked else 200)
        handler.send_header("Content-Length", str(len(body)))
        if asked:
            size = len(self.content)
            handler.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
        if self.tag:
            handler.send_header("ETag", self.tag)
        if self.says_digest:
            digest = base64.b64encode(hashlib.sha256(self.digest_of or self.content).digest()).decode()
            handler.send_header("Repr-Digest", f"sha-256=:{digest}:")
        handler.end_headers()
        handler.wfile.write(body[: self.break_after.pop(0)] if self.break_after else body)


@pytest.fixture
def server() -> Iterator[FileServer]:
    served = FileServer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.answer(self)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        served.url = f"http://127.0.0.1:{running.server_port}"
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield served
        running.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch) -> None:
    monkeypatch.setattr(downloads, "GO_ON_AFTER", (0, 0))


@pytest.fixture
def part(tmp_path: Path) -> Path:
    return tmp_path / "image.part"


def fetch(server: FileServer, part: Path, told: list[tuple[int, int]] | None = None) -> None:
    note = [] if told is None else told
    download(ServiceClient(server.url), f"{server.url}/image", part, lambda *now: note.append(now))


def test_a_download_that_breaks_off_goes_on_by_itself(server, part):
    server.break_after = [2 * PIECE, PIECE]
    told: list[tuple[int, int]] = []
    fetch(server, part, told)
    assert part.read_bytes() == CONTENT
    assert server.ranges == ["", f"bytes={2 * PIECE}-", f"bytes={3 * PIECE}-"]
    assert told == [(number * PIECE, len(CONTENT)) for number in (1, 2, 3, 4)]


def test_what_an_earlier_run_left_is_continued(server, part):
    part.write_bytes(CONTENT[:700])
    fetch(server, part)
    assert part.read_bytes() == CONTENT
    assert server.ranges == ["bytes=700-"]


def test_what_was_left_of_another_file_is_thrown_away(server, part):
    part.write_bytes(b"x" * 700)
    fetch(server, part)
    assert part.read_bytes() == CONTENT
    assert server.ranges == ["bytes=700-", ""]


@pytest.mark.parametrize("length", [len(CONTENT), len(CONTENT) + 5])
def test_a_part_that_is_as_long_as_the_file_is_fetched_anew(server, part, length):
    part.write_bytes(b"x" * length)
    fetch(server, part)
    assert part.read_bytes() == CONTENT


def test_a_part_from_before_is_not_continued_when_nothing_can_check_it(server, part):
    server.says_digest = False
    part.write_bytes(CONTENT[:700])
    fetch(server, part)
    assert part.read_bytes() == CONTENT
    assert server.ranges == ["bytes=700-", ""]


def test_a_file_that_changes_on_the_way_is_fetched_anew(server, part):
    server.says_digest = False
    server.break_after = [PIECE]
    other = CONTENT[::-1]

    def change(done: int, total: int) -> None:
        server.content, server.tag = other, '"2"'

    download(ServiceClient(server.url), f"{server.url}/image", part, change)
    assert part.read_bytes() == other


def test_a_file_that_is_not_what_its_server_says_is_refused(server, part):
    server.digest_of = b"something else"
    with pytest.raises(CIError, match="is not the file that"):
        fetch(server, part)
    assert not part.exists()


def test_a_server_that_breaks_off_again_and_again_is_given_up_and_the_part_kept(server, part):
    server.break_after = [PIECE, 0, 0, 0]
    with pytest.raises(Unavailable, match="run the same command again to go on"):
        fetch(server, part)
    assert part.read_bytes() == CONTENT[:PIECE]
