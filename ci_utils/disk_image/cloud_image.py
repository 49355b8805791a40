"""Takes in a cloud image made by others: by path or URL, and only with its SHA-256."""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import requests

from ci_utils.disk_image import qcow2
from ci_utils.disk_image.layout import root_partition
from ci_utils.errors import InvalidRequest, NotFound, Unavailable

SHA256 = re.compile(r"[0-9a-fA-F]{64}")
CHUNK_BYTES = 1024 * 1024
#: Seconds without a single byte after which a download has failed.
STALL_SECONDS = 60


def import_cloud_image(source: str, path: Path, *, sha256: str) -> None:
    """Write the qcow2 image at `source` (a path or an http or https URL) to `path`, whole or not at all.

    Raises `InvalidRequest` if the checksum differs, the file is no qcow2 image
    that stands alone, or it has no GPT with a Linux root; `NotFound`,
    `Unavailable` if it cannot be fetched.
    """
    if not SHA256.fullmatch(sha256):
        raise InvalidRequest("a SHA-256 is 64 hexadecimal digits")
    name = Path(urlsplit(source).path).name
    with tempfile.TemporaryDirectory(prefix=".import-", dir=path.parent) as directory:
        image = Path(directory) / "image"
        digest = hashlib.sha256()
        with image.open("wb") as file:
            for block in _blocks(source, name):
                digest.update(block)
                file.write(block)
        if digest.hexdigest() != sha256.lower():
            raise InvalidRequest(f"the SHA-256 of {name} is {digest.hexdigest()}, not what was given")
        qcow2.require_standalone(image, name)
        root_partition(image)
        image.rename(path)


def _blocks(source: str, name: str) -> Iterator[bytes]:
    if not source.startswith(("http://", "https://")):
        try:
            with Path(source).open("rb") as file:
                while block := file.read(CHUNK_BYTES):
                    yield block
        except OSError as error:
            raise NotFound(f"{name} cannot be read: {error.strerror}") from None
        return
    try:
        with requests.get(source, stream=True, timeout=STALL_SECONDS) as response:
            response.raise_for_status()
            yield from response.iter_content(CHUNK_BYTES)
    except requests.HTTPError as error:
        raise Unavailable(f"{name} cannot be fetched: {error.response.reason}") from None
    except requests.RequestException as error:
        raise Unavailable(f"{name} cannot be fetched: the connection failed") from error
