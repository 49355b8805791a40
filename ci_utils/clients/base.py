"""What all REST clients share: one session, the token, and errors as our own.

The server's sentence travels in the JSON field `error` of a 4xx or 5xx answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import requests

from ci_utils import errors

TIMEOUT_SECONDS = 30
#: Silence allowed while files travel: the first byte of an image may have to be made first.
TRANSFER_TIMEOUT_SECONDS = 600
CHUNK_BYTES = 1 << 20

#: Told of bytes done and their total.
Progress = Callable[[int, int], None]

_BY_STATUS: dict[int, type[errors.CIError]] = {
    400: errors.InvalidRequest,
    401: errors.Unauthenticated,
    403: errors.Forbidden,
    404: errors.NotFound,
    409: errors.Conflict,
    429: errors.TooManyRequests,
    502: errors.Unavailable,
    503: errors.Unavailable,
    504: errors.Unavailable,
}


class ServiceClient:
    """Talks to one service under `base_url` + `/api/v1/`."""

    def __init__(self, base_url: str, token: str = "") -> None:
        self.base_url = base_url.rstrip("/")
        self._session = requests.Session()
        self._session.trust_env = False
        if token:
            self._session.headers["Authorization"] = f"Bearer {token}"

    def get(self, path: str, **params: Any) -> Any:
        """GET a resource of the API and return its JSON."""
        return self._json("GET", path, params=params)

    def post(self, path: str, data: Mapping[str, Any]) -> Any:
        """POST JSON to the API and return the answer's JSON (None if it is empty)."""
        return self._json("POST", path, json=data)

    def patch(self, path: str, data: Mapping[str, Any]) -> Any:
        """PATCH a resource of the API and return the answer's JSON (None if it is empty)."""
        return self._json("PATCH", path, json=data)

    def status(self) -> dict[str, Any]:
        """The service's `status`."""
        return dict(self.get("status/"))

    def pages(self, path: str, **params: Any) -> Iterator[dict[str, Any]]:
        """All objects of a list, page after page."""
        page = self.get(path, **params)
        while True:
            yield from page["objects"]
            following = page["meta"].get("next")
            if not following:
                return
            page = self._json("GET", following.removeprefix("/api/v1/"))

    def download(self, url: str, path: Path, progress: Progress = lambda done, total: None) -> None:
        """Stream a URL into a file; `progress` gets the bytes done and their total (0: not known)."""
        timeout = TRANSFER_TIMEOUT_SECONDS
        with self._send("GET", url, stream=True, timeout=timeout) as response, path.open("wb") as file:
            total = int(response.headers.get("Content-Length", 0))
            try:
                for chunk in response.iter_content(CHUNK_BYTES):
                    file.write(chunk)
                    progress(file.tell(), total)
            except requests.RequestException as error:
                raise errors.Unavailable(f"{self.base_url} ended a download too early") from error

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
        self, method: str, url: str, *, timeout: float = TIMEOUT_SECONDS, **options: Any
    ) -> requests.Response:
        # A signed URL may be another server's: that one never sees the token.
        own = url.startswith(f"{self.base_url}/")
        headers = {} if own else {"Authorization": None}
        try:
            response = self._session.request(
                method, url, timeout=timeout, allow_redirects=False, headers=headers, **options
            )
        except requests.RequestException as error:
            raise errors.Unavailable(f"{self.base_url} does not answer") from error
        if response.status_code >= 300:
            raise _error(response)
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


def _error(response: requests.Response) -> errors.CIError:
    try:
        message = str(response.json()["error"])
    except (requests.JSONDecodeError, KeyError, TypeError):
        message = f"{response.url.split('?')[0]} answered with status {response.status_code}"
    kind = _BY_STATUS.get(response.status_code, errors.CIError)
    return kind(message)
