"""Where files are in a Swift account, and the URLs that lead there.

A container CONTAINER of the port has up to four in Swift, whose further names
no container of the port can have:

    CONTAINER             its files
    CONTAINER~incoming    what came by upload URL and was not read yet
    CONTAINER~private     files that are private in a public container
    CONTAINER~public      files that are public in a private container
"""

from __future__ import annotations

import time
from urllib.parse import quote, unquote, urlsplit

from swiftclient.utils import generate_temp_url

from ci_utils.data_store.signed_urls import checked_container, checked_filename
from ci_utils.errors import InvalidRequest

INCOMING, PRIVATE, PUBLIC = "~incoming", "~private", "~public"


class Places:
    """Makes and reads URLs below `account_url`; `key` signs by Swift's TempURL with the named digest."""

    def __init__(self, account_url: str, key: str, digest: str) -> None:
        self._account_url = account_url
        self._key = key
        self._digest = digest

    def url(self, container: str, filename: str) -> str:
        """The URL without a permission."""
        return f"{self._account_url}/{quote(container, safe='')}/{quote(filename, safe='')}"

    def signed(self, method: str, container: str, filename: str, expires_in: int) -> str:
        """A URL that allows `method` (GET or PUT) for `expires_in` seconds."""
        url = self.url(container, filename)
        path, expires = unquote(urlsplit(url).path), int(time.time()) + expires_in
        signed = generate_temp_url(path, expires, self._key, method, absolute=True, digest=self._digest)
        return f"{url}?{signed.rpartition('?')[2]}"

    def split(self, url: str) -> tuple[str, str]:
        """Container and file name of an own URL; `InvalidRequest` for any other."""
        address = url.partition("?")[0]
        own = f"{self._account_url}/"
        if not address.startswith(own):
            raise InvalidRequest("the URL is not one of this engine's data store")
        container, _, filename = address.removeprefix(own).partition("/")
        for suffix in (INCOMING, PRIVATE, PUBLIC):
            container = container.removesuffix(suffix)
        return checked_container(container), checked_filename(unquote(filename))
