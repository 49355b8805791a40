"""The web service, the pages of the OAuth dance, and the files, over HTTP."""

from __future__ import annotations

import json
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from tests.harness.launchpad.acceptance import Rejected
from tests.harness.launchpad.description import description
from tests.harness.launchpad.model import Launchpad
from tests.harness.launchpad.oauth import Tokens, Unauthorized
from tests.harness.launchpad.representations import Representations
from tests.harness.launchpad.resources import NoSuchThing, Question, by_id

WADL = "application/vnd.sun.wadl+xml"


@dataclass
class Fault:
    """What goes wrong with the next requests whose target holds `where`.

    Status 0 breaks the connection. With `afterwards` the request is done, and
    only its answer is lost.
    """

    where: str
    status: int
    text: str = ""
    times: int = 1
    afterwards: bool = False


class WebServer(ThreadingHTTPServer):
    """Listens on a free loopback port, below `address`."""

    daemon_threads = True

    def __init__(self, launchpad: Launchpad, tokens: Tokens, *, members: Sequence[str]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.launchpad = launchpad
        self.tokens = tokens
        self.members = members
        self.page_size = 75
        self.faults: deque[Fault] = deque()
        self.asked: Counter[str] = Counter()
        self.address = "http://127.0.0.1:{1}".format(*self.server_address)
        self.root = f"{self.address}/devel/"
        self.show = Representations(launchpad, self.root, f"{self.address}/files/")
        self.description = description(self.root)

    def question(self, path: str, form: dict[str, str], user: str, *, writing: bool) -> Question:
        """A request to the web service."""
        return Question(
            self.launchpad,
            self.show,
            self.root,
            path,
            form,
            user,
            writing,
            user in self.members,
            self.page_size,
        )

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that go away in the middle are no news."""


class _Handler(BaseHTTPRequestHandler):
    """One request."""

    server: WebServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._handle("")

    def do_POST(self) -> None:
        self._handle(self.rfile.read(int(self.headers.get("Content-Length", 0))).decode())

    def log_message(self, format: str, *args: object) -> None:
        """Tests read their own failures."""

    def _handle(self, body: str) -> None:
        fault = self._fault(f"{self.path} {body}")
        if fault and not fault.afterwards:
            return self._break(fault)
        try:
            answer = self._answer(body)
        except Unauthorized as error:
            answer = (401, "text/plain", str(error).encode())
        except Rejected as error:
            answer = (400, "text/plain", str(error).encode())
        except (NoSuchThing, KeyError, FileNotFoundError):
            answer = (404, "text/plain", b"Object: <Launchpad>, name: 'nothing'")
        if fault:
            return self._break(fault)
        self._send(*answer)
        return None

    def _answer(self, body: str) -> tuple[int, str, bytes]:
        url = urlsplit(self.path)
        path = unquote(url.path)
        form = dict(parse_qsl(body if self.command == "POST" else url.query, keep_blank_values=True))
        for prefix, answer in (
            ("/devel/", self._api),
            ("/files/", self._file),
            ("/packages/", self._package),
        ):
            if path.startswith(prefix):
                return answer(path.removeprefix(prefix), form)
        tokens = self.server.tokens
        if path == "/+request-token":
            return _form(tokens.request(form["oauth_consumer_key"]))
        if path == "/+access-token":
            if (token := tokens.requests.get(form["oauth_token"])) and token.declined:
                return 403, "text/plain", b"End-user refused to authorize request token."
            return _form(tokens.exchange(form))
        raise NoSuchThing

    def _api(self, path: str, form: dict[str, str]) -> tuple[int, str, bytes]:
        user = self.server.tokens.user_of(self.headers.get("Authorization", ""))
        operation = form.get("ws.op", "")
        self.server.asked[operation or path] += 1
        if not path and self.headers.get("Accept") == WADL:
            return 200, WADL, self.server.description
        with self.server.launchpad.lock:
            found = self.server.question(path, form, user, writing=self.command == "POST").answer()
        return 200, "application/json", json.dumps(found).encode()

    def _file(self, path: str, _: dict[str, str]) -> tuple[int, str, bytes]:
        kind, number, name = path.split("/")
        ppas = self.server.launchpad.ppas.values()
        sources = [source for ppa in ppas for source in ppa.sources]
        if kind == "log":
            log = by_id([build for source in sources for build in source.builds], int(number)).log
            return 200, "text/plain", log or b""
        files = {path.name: path for path in by_id(sources, int(number)).files}
        return 200, "application/octet-stream", files[name].read_bytes()

    def _package(self, path: str, _: dict[str, str]) -> tuple[int, str, bytes]:
        root = self.server.launchpad.farm.packages
        owner, name, distribution, *rest = path.split("/")
        if root is None or distribution != "ubuntu" or ".." in rest:
            raise NoSuchThing
        return 200, "application/octet-stream", Path(root, owner, name, *rest).read_bytes()

    def _fault(self, target: str) -> Fault | None:
        for fault in self.server.faults:
            if fault.where in target and fault.times:
                fault.times -= 1
                return fault
        return None

    def _break(self, fault: Fault) -> None:
        if fault.status:
            return self._send(fault.status, "text/plain", fault.text.encode())
        self.close_connection = True
        self.connection.shutdown(2)
        return None

    def _send(self, status: int, kind: str, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        if kind == "text/plain" and content.startswith(b"\x1f\x8b"):
            self.send_header("Content-Encoding", "gzip")
        if self.path.startswith("/+"):  # the library asks for tokens by connections that it never closes
            self.send_header("Connection", "close")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def _form(token: tuple[str, str]) -> tuple[int, str, bytes]:
    content = urlencode({"oauth_token": token[0], "oauth_token_secret": token[1]})
    return 200, "text/plain", content.encode()
