"""Watches the `cancel_url` that comes with a request.

Specification: `build_source` and `build_image` ("a link to a JSON URL that
returns {"building": true|false}").
"""

from __future__ import annotations

import logging
import threading
import time

from ci_utils.clients.base import ServiceClient
from ci_utils.errors import CIError, NotFound

log = logging.getLogger(__name__)

ASK_EVERY_SECONDS = 2.0


class CancelWatch:
    """Asks at most every two seconds whether the caller still wants the work."""

    def __init__(self, url: str | None, *, token: str) -> None:
        self._url = url
        self._client = None
        if url:
            base, _, self._path = url.partition("/api/v1/")
            self._client = ServiceClient(base, token)
        self._cancelled = False
        self._asked_at = 0.0
        self._lock = threading.Lock()

    def cancelled(self) -> bool:
        """True once the caller answered that it is not building any more; never false again."""
        if self._client is None or self._cancelled:
            return self._cancelled
        with self._lock:
            if time.monotonic() - self._asked_at >= ASK_EVERY_SECONDS:
                self._asked_at = time.monotonic()
                self._cancelled = self._ask(self._client)
        return self._cancelled

    def _ask(self, client: ServiceClient) -> bool:
        try:
            return client.get(self._path).get("building") is False
        except NotFound:
            return True
        except (CIError, AttributeError) as error:
            log.warning("cannot ask %s whether to go on: %s", self._url, error)
            return False
