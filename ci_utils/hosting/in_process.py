"""Carries requests to services of this very process without a socket.

A page asks the API several times. Were that done over HTTP, every thread of the
server could wait for an answer that only another of its threads can give. This
way the same thread goes through the same views, and nothing is asked but REST.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

import requests
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.http import HttpResponseBase
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict


class InProcess(BaseAdapter):
    """A transport of `requests` that ends in Django's own views."""

    def send(
        self, request: requests.PreparedRequest, *_: Any, stream: bool = False, **__: Any
    ) -> requests.Response:
        """Answer a request; a streamed answer is read piece by piece and must be closed."""
        answered = _handler().get_response(WSGIRequest(_environ(request)))
        response = requests.Response()
        response.request = request
        response.url = request.url or ""
        response.status_code = answered.status_code
        response.reason = answered.reason_phrase
        response.headers = CaseInsensitiveDict(answered.items())
        response.encoding = "utf-8"
        response.raw = _Body(answered)
        if not stream:
            response.content  # noqa: B018 -- reads the body, as the other transports do
            response.raw.close()
        return response

    def close(self) -> None:
        """There is nothing to close."""


class _Body(io.RawIOBase):
    """The body of an answer as a file."""

    def __init__(self, answered: HttpResponseBase) -> None:
        self._answered = answered
        self._pieces: Iterator[bytes] = iter(answered)
        self._left = b""

    def read(self, size: int | None = -1) -> bytes:
        """At least one byte while there are some, at most `size`."""
        if size is None or size < 0:
            return self._left + b"".join(self._pieces)
        while not self._left:
            try:
                self._left = next(self._pieces)
            except StopIteration:
                return b""
        read, self._left = self._left[:size], self._left[size:]
        return read

    def release_conn(self) -> None:
        """What `requests` calls at the end of an answer."""
        self.close()

    def close(self) -> None:
        """Give back what the answer holds; its own `close` would say that the outer request has ended."""
        for give_back in getattr(self._answered, "_resource_closers", ()):
            give_back()
        super().close()


@cache
def _handler() -> WSGIHandler:
    return WSGIHandler()


def _environ(request: requests.PreparedRequest) -> dict[str, Any]:
    """The request as WSGI tells it."""
    parts = urlsplit(str(request.url))
    headers: Mapping[str, str] = request.headers
    environ = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(parts.path).decode("latin-1"),
        "QUERY_STRING": parts.query,
        "SERVER_NAME": parts.hostname or "localhost",
        "SERVER_PORT": str(parts.port or (443 if parts.scheme == "https" else 80)),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": parts.netloc,
        "CONTENT_TYPE": headers.get("Content-Type", ""),
        "CONTENT_LENGTH": headers.get("Content-Length", "") or "0",
        "wsgi.url_scheme": parts.scheme,
        "wsgi.input": _input(request.body),
        "wsgi.errors": io.StringIO(),
    }
    own = {"content-type", "content-length", "host", "transfer-encoding"}
    for name, value in headers.items():
        if name.lower() not in own:
            environ[f"HTTP_{name.upper().replace('-', '_')}"] = str(value)
    return environ


def _input(body: Any) -> Any:
    if body is None:
        return io.BytesIO()
    if isinstance(body, str | bytes):
        return io.BytesIO(body.encode() if isinstance(body, str) else body)
    return body if hasattr(body, "read") else io.BufferedReader(_Pieces(body), 1 << 20)


class _Pieces(io.RawIOBase):
    """An iterable of bytes as a file: the body of an upload that tells how far it is."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._left = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._left:
            try:
                self._left = next(self._pieces)
            except StopIteration:
                return 0
        count = min(len(buffer), len(self._left))
        buffer[:count] = self._left[:count]
        self._left = self._left[count:]
        return count
