"""What all REST clients share: one session, the token, and errors as our own.

The server's sentence travels in the JSON field `error` of a 4xx or 5xx answer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, TypeVar
from urllib.parse import unquote, urljoin, urlsplit

import requests

from ci_utils import errors

TIMEOUT_SECONDS = 30
#: Silence allowed while files travel: the first byte of an image may have to be made first.
TRANSFER_TIMEOUT_SECONDS = 600
CHUNK_BYTES = 1 << 20

Client = TypeVar("Client", bound="ServiceClient")

#: Told of bytes done and their total.
Progress = Callable[[int, int], None]

_BY_STATUS: dict[int, type[errors.CIError]] = {
    400: errors.InvalidRequest,
    401: errors.Unauthenticated,
    403: errors.Forbidden,
    404: errors.NotFound,
    409: errors.Conflict,
    416: errors.RangeNotSatisfiable,
    429: errors.TooManyRequests,
    502: errors.Unavailable,
    503: errors.Unavailable,
    504: errors.Unavailable,
}


def refused_for_good(error: errors.CIError) -> bool:
    """Whether a service answers the same however often it is asked.

    It does to a request that is wrong, or that contradicts what is there. It
    does not while a token is replaced or after an error of its own: an operator
    mends those, and nothing is lost by whoever waits for it.
    """
    final = (errors.InvalidRequest, errors.NotFound, errors.Conflict)
    return isinstance(error, final) and not error.retryable


#: What OpenSSL finds wrong with a certificate.
_CERTIFICATE = re.compile(r"CERTIFICATE_VERIFY_FAILED\] certificate verify failed: ([\w ,.'-]*\w)")


class ServiceClient:
    """Talks to one service under `base_url` + `/api/v1/`.

    `ca_file`: the certificates (PEM) that are trusted instead of the usual ones.
    """

    def __init__(self, base_url: str, token: str = "", *, ca_file: Path | None = None) -> None:
        self.base_url = base_url.rstrip("/")
        self._session = requests.Session()
        self._session.trust_env = False
        if ca_file:
            self._session.verify = str(ca_file)
        if token:
            self._session.headers["Authorization"] = f"Bearer {token}"

    def get(self, path: str, **params: Any) -> Any:
        """GET a resource of the API and return its JSON."""
        return self._json("GET", path, params=params)

    def post(self, path: str, data: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Any:
        """POST JSON to the API and return the answer's JSON (None if it is empty)."""
        return self._json("POST", path, json=data, headers=headers)

    def patch(self, path: str, data: Mapping[str, Any]) -> Any:
        """PATCH a resource of the API and return the answer's JSON (None if it is empty)."""
        return self._json("PATCH", path, json=data)

    def text(self, path: str) -> str:
        """GET a resource of the API that is plain text."""
        return self._send("GET", f"{self.base_url}/api/v1/{path}").text

    def beside(self, kind: type[Client]) -> Client:
        """A client of another service under the same address, with the same token and connections."""
        other = kind(self.base_url)
        other._session = self._session
        return other

    def status(self, *, timeout: float = TIMEOUT_SECONDS) -> dict[str, Any]:
        """The service's `status`; `Unavailable` if it does not answer in `timeout` seconds."""
        return dict(self._json("GET", "status/", timeout=timeout))

    def pages(self, path: str, **params: Any) -> Iterator[dict[str, Any]]:
        """All objects of a list, page after page."""
        page = self.get(path, **params)
        while True:
            yield from page["objects"]
            following = page["meta"].get("next")
            if not following:
                return
            page = self._json("GET", following.removeprefix("/api/v1/"))

    def stream(self, url: str, headers: Mapping[str, str] | None = None) -> requests.Response:
        """GET a URL whose answer is read piece by piece; close it."""
        return self._send("GET", url, stream=True, timeout=TRANSFER_TIMEOUT_SECONDS, headers=headers)

    def content(
        self, url: str, headers: Mapping[str, str] | None = None, *, piece_bytes: int = CHUNK_BYTES
    ) -> Iterator[bytes]:
        """What a URL has, piece by piece; `Unavailable` if the connection breaks before its end."""
        with self.stream(url, headers) as response:
            try:
                yield from response.iter_content(piece_bytes)
            except requests.RequestException as error:
                raise errors.Unavailable(f"{_server(url)} broke off in the middle of its answer") from error

    def upload(self, url: str, path: Path, progress: Progress = lambda done, total: None) -> None:
        """Stream a file to a signed URL; `progress` gets the bytes done and their total."""
        with path.open("rb") as file:
            body = _FileBody(file, path.stat().st_size, progress)
            # An empty stream would go out chunked, without the length that a signed URL wants.
            self._send("PUT", url, data=body if len(body) else b"", timeout=TRANSFER_TIMEOUT_SECONDS)

    def _json(self, method: str, path: str, **options: Any) -> Any:
        response = self._send(method, f"{self.base_url}/api/v1/{path}", **options)
        if not response.content:
            return None
        try:
            return response.json()
        except requests.JSONDecodeError:
            raise errors.Unavailable(f"{self.base_url} did not answer with JSON") from None

    def _send(
        self,
        method: str,
        url: str,
        *,
        timeout: float = TIMEOUT_SECONDS,
        headers: Mapping[str, str] | None = None,
        **options: Any,
    ) -> requests.Response:
        # A signed URL may be another server's: that one never sees the token.
        own = url.startswith(f"{self.base_url}/")
        sent = {**(headers or {}), **({} if own else {"Authorization": None})}
        try:
            response = self._session.request(
                method, url, timeout=timeout, allow_redirects=False, headers=sent, **options
            )
        except requests.RequestException as error:
            if refused := _CERTIFICATE.search(str(error)):
                raise errors.Untrusted(
                    f"{_server(url)} has a certificate that is not trusted ({refused[1]}); "
                    "for ubuntu-ci, UCI_CA_FILE names the file of another authority"
                ) from error
            raise errors.Unavailable(f"{_server(url)} does not answer") from error
        if response.status_code >= 300:
            raise _error(response) if own else _refusal(response)
        return response


class _FileBody:
    """An open file as the body of a request that tells how far it is."""

    def __init__(self, file: BinaryIO, size: int, progress: Progress) -> None:
        self._file = file
        self._size = size
        self._progress = progress

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[bytes]:
        while chunk := self._file.read(CHUNK_BYTES):
            yield chunk
            self._progress(self._file.tell(), self._size)


def _server(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _without_query(url: str) -> str:
    """What can be told of an address: the rest of it may be a permission."""
    return url.partition("?")[0]


def _refusal(response: requests.Response) -> errors.CIError:
    """What another server's answer to a signed URL means: it knows no tokens, so a new one helps nothing."""
    name, status = unquote(urlsplit(response.url).path.rpartition("/")[2]), response.status_code
    if status in (401, 403):
        return errors.Forbidden(
            f"{_server(response.url)} takes the URL of {name} no more; "
            "it has expired, or was made with an older key: ask for a new one"
        )
    kind = _BY_STATUS.get(status, errors.CIError)
    return kind(f"{_server(response.url)} answered for {name} with status {status}")


def _error(response: requests.Response) -> errors.CIError:
    try:
        message = str(response.json()["error"])
    except (requests.JSONDecodeError, KeyError, TypeError):
        message = f"{_without_query(response.url)} answered with status {response.status_code}"
        if response.is_redirect:
            target = _without_query(urljoin(response.url, response.headers["Location"]))
            message += f", which points to {target}; use the address of that server"
    kind = _BY_STATUS.get(response.status_code, errors.CIError)
    return kind(message)
