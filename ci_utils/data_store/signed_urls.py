"""URLs that carry their own permission, as Swift's TempURL does it.

`BASE/data/CONTAINER/FILE?expires=SECONDS&signature=HEX`: the signature is an
HMAC-SHA256 over method, container, file name and expiry, so a URL allows one
method on one file until it expires.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import time
from collections.abc import Mapping
from urllib.parse import quote, unquote

from ci_utils.errors import Forbidden, InvalidRequest

PATH = "/data/"

_CONTAINER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}", re.ASCII)
_EXPIRES = re.compile(r"[0-9]{1,12}", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class SignedUrls:
    """Makes and checks the URLs of one data store. `key` is secret; `base_url` has no path."""

    def __init__(self, base_url: str, key: bytes) -> None:
        self._base = base_url.rstrip("/") + PATH
        self._key = key

    def lasting(self, container: str, filename: str) -> str:
        """The URL without a permission."""
        return f"{self._base}{container}/{quote(filename, safe='')}"

    def sign(self, method: str, container: str, filename: str, expires_in: int) -> str:
        """A URL that allows `method` (GET or PUT) for `expires_in` seconds."""
        permission = self.permission(method, container, filename, expires_in)
        return f"{self.lasting(container, filename)}?{permission}"

    def permission(self, method: str, container: str, filename: str, expires_in: int) -> str:
        """The query that allows it; `check` reads it."""
        expires = str(int(time.time()) + expires_in)
        return f"expires={expires}&signature={self._signature(method, container, filename, expires)}"

    def check(self, method: str, container: str, filename: str, query: Mapping[str, str]) -> None:
        """Raise `Forbidden` unless the query allows this request; a URL to GET also allows HEAD."""
        expires = query.get("expires", "")
        method = "GET" if method == "HEAD" else method
        expected = self._signature(method, container, filename, expires)
        given = query.get("signature", "").encode(errors="replace")
        if not _EXPIRES.fullmatch(expires) or not hmac.compare_digest(expected.encode(), given):
            raise Forbidden("the signature of this URL is not valid; ask for a new URL")
        if int(expires) < time.time():
            raise Forbidden("this URL has expired; ask for a new one")

    def split(self, url: str) -> tuple[str, str]:
        """Container and file name of an own URL; `InvalidRequest` for any other."""
        address = url.partition("?")[0]
        container, _, quoted = address.removeprefix(self._base).partition("/")
        if not address.startswith(self._base):
            raise InvalidRequest("the URL is not one of this engine's data store")
        return checked_container(container), checked_filename(unquote(quoted))

    def _signature(self, method: str, container: str, filename: str, expires: str) -> str:
        # None of the parts can hold a newline, so no two requests sign alike.
        request = "\n".join((method, container, filename, expires))
        return hmac.new(self._key, request.encode(errors="replace"), hashlib.sha256).hexdigest()


def checked_container(name: str) -> str:
    """The name of a container if it is a plain one, else `InvalidRequest`."""
    if not _CONTAINER.fullmatch(name):
        raise InvalidRequest(f"{name[:60]!r} is not a name for a container of files")
    return name


def checked_filename(name: str) -> str:
    """A file's name if it is a plain one that fits on disk, else `InvalidRequest`."""
    try:
        length = len(name.encode())
    except UnicodeEncodeError:
        length = 0
    if not 0 < length <= 255 or "/" in name or name in (".", "..") or _CONTROL.search(name):
        raise InvalidRequest(f"{name[:60]!r} is not a plain file name")
    return name
