"""Downloads that go on where they broke off, and are checked when the server says what they must be.

A part from before is only continued when what comes can be checked: by the
`ETag` of this run's first answer, or by a `Repr-Digest` (RFC 9530) of the
whole file, which the engine gives for images.
"""

from __future__ import annotations

import base64
import hashlib
import re
import time
from pathlib import Path

import requests

from ci_utils.clients.base import Progress, ServiceClient
from ci_utils.errors import CIError, InvalidRequest, Unavailable

#: Seconds before a download goes on that broke off, as often as that happens without any progress.
GO_ON_AFTER = (1, 5)
#: What is lost at most when a connection breaks.
PIECE_BYTES = 1 << 16

_TOTAL = re.compile(r"bytes [0-9]+-[0-9]+/([0-9]+)")
_SHA256 = re.compile(r"sha-256=:([A-Za-z0-9+/]{43}=):")


class _Changed(Exception):
    """What is there of the file cannot be continued."""


def download(
    client: ServiceClient, url: str, part: Path, progress: Progress = lambda done, total: None
) -> None:
    """Bring a URL into the file `part`, which may hold the beginning from an earlier, broken download.

    `progress` gets the bytes done and their total (0: not known). On an error
    `part` keeps what came, to be continued. Raises `Unavailable` if the server
    stays away, and `CIError` if the file is not what the server says it is.
    """
    if part.exists() and part.stat().st_size == 0:
        part.unlink()
    running = _Download(client, url, part, progress)
    pauses = list(GO_ON_AFTER)
    while True:
        before = running.done
        try:
            running.go_on()
            return
        except _Changed:
            part.unlink()
        except Unavailable:
            if running.done > before:
                pauses = list(GO_ON_AFTER)
            if not pauses:
                raise
            time.sleep(pauses.pop(0))


class _Download:
    """One file on its way, over as many connections as it takes."""

    def __init__(self, client: ServiceClient, url: str, part: Path, progress: Progress) -> None:
        self._client = client
        self._url = url
        self._part = part
        self._progress = progress
        self._tag = ""

    @property
    def done(self) -> int:
        """Bytes that are there."""
        return self._part.stat().st_size if self._part.exists() else 0

    def go_on(self) -> None:
        """Fetch what is missing and check the whole."""
        resumed = self.done > 0
        with self._answer() as response:
            continues = response.status_code == requests.codes.partial_content
            digest = _SHA256.search(response.headers.get("Repr-Digest", ""))
            if continues and not (digest or self._tag):
                raise _Changed
            self._tag = response.headers.get("ETag", "")
            self._receive(response, continues=continues)
        if digest and _sha256(self._part) != base64.b64decode(digest[1]):
            if resumed:
                raise _Changed
            self._part.unlink()
            raise CIError(f"what came is not the file that {self._client.base_url} has; fetch it again")

    def _answer(self) -> requests.Response:
        headers = {"Accept-Encoding": "identity"}
        if self.done:
            headers["Range"] = f"bytes={self.done}-"
            if self._tag:
                headers["If-Range"] = self._tag
        try:
            return self._client.stream(self._url, headers)
        except InvalidRequest:
            if self.done:  # the part is as long as the file, or longer
                raise _Changed from None
            raise

    def _receive(self, response: requests.Response, *, continues: bool) -> None:
        total = int(response.headers.get("Content-Length", 0))
        if continues and (match := _TOTAL.fullmatch(response.headers.get("Content-Range", ""))):
            total = int(match[1])
        with self._part.open("ab" if continues else "wb") as file:
            try:
                for chunk in response.iter_content(PIECE_BYTES):
                    file.write(chunk)
                    self._progress(file.tell(), total)
            except requests.RequestException as error:
                raise Unavailable(
                    f"{self._client.base_url} ended a download too early; run the same command again to go on"
                ) from error


def _sha256(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
