"""Downloads what Launchpad keeps beside its web service: files of sources and logs of builds."""

from __future__ import annotations

import hashlib
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast
from urllib.parse import unquote, urlsplit

import requests
from urllib3.exceptions import HTTPError

from ci_utils.errors import NotFound, Unavailable
from ci_utils.source_package.control import MAX_BYTES, UploadFile
from ci_utils.source_package.dsc import parse_dsc
from ci_utils.source_package.names import valid_file_name

TIMEOUT_SECONDS = (10, 60)
CHUNK_BYTES = 1 << 20
#: As much as a log of the engine's own builds may have.
MAX_LOG_BYTES = 256 << 20
GZIP_MAGIC = b"\x1f\x8b"


def fetch_dsc(urls: Sequence[str]) -> bytes:
    """The .dsc among the files of a source."""
    url = _dsc_url(urls)
    content = b""
    with _opened(url) as chunks:
        for chunk in chunks:
            content += chunk
            if len(content) > MAX_BYTES:
                raise Unavailable(f"{_name(url)} in Launchpad is larger than {MAX_BYTES} bytes")
    return content


def fetch_source_files(urls: Sequence[str], directory: Path) -> Path:
    """Write the files of a source into `directory`, checked against its .dsc; the path of the .dsc."""
    dsc = directory / _name(_dsc_url(urls))
    content = fetch_dsc(urls)
    by_name = {_name(url): url for url in urls}
    for file in parse_dsc(content, dsc.name).files:
        if file.name not in by_name:
            raise NotFound(f"Launchpad does not have {file.name} of {dsc.name}")
        _fetch(by_name[file.name], file, directory / file.name)
    dsc.write_bytes(content)
    return dsc


def fetch_log(url: str) -> BinaryIO:
    """The log of a build as text, up to MAX_LOG_BYTES of it."""
    log = tempfile.TemporaryFile()  # noqa: SIM115 -- the caller closes it
    try:
        with _opened(url) as chunks:
            for text in _unpacked(chunks):
                log.write(text[: MAX_LOG_BYTES - log.tell()])
                if log.tell() == MAX_LOG_BYTES:
                    break
        log.seek(0)
    except BaseException:
        log.close()
        raise
    return cast("BinaryIO", log)


def _fetch(url: str, file: UploadFile, target: Path) -> None:
    digest, size = hashlib.sha256(), 0
    with _opened(url) as chunks, target.open("wb") as stream:
        for chunk in chunks:
            size += len(chunk)
            if size > file.size:
                break
            digest.update(chunk)
            stream.write(chunk)
    if (size, digest.hexdigest()) != (file.size, file.sha256):
        target.unlink()
        raise Unavailable(f"{file.name} did not come from Launchpad as its .dsc says")


@contextmanager
def _opened(url: str) -> Iterator[Iterator[bytes]]:
    """The content behind a URL in pieces, as it is stored: a packed file stays packed."""
    name = _name(url)
    try:
        with requests.get(url, stream=True, timeout=TIMEOUT_SECONDS) as response:
            if response.status_code in (404, 410):
                raise NotFound(f"Launchpad does not have the file {name} any more")
            response.raise_for_status()
            yield response.raw.stream(CHUNK_BYTES, decode_content=False)
    except (requests.RequestException, HTTPError):
        raise Unavailable(f"the file {name} cannot be fetched from Launchpad") from None


def _unpacked(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Text that may be packed, in pieces of a bearable size however much a piece unpacks to."""
    unpacker = None
    for number, chunk in enumerate(chunks):
        if number == 0 and chunk.startswith(GZIP_MAGIC):
            unpacker = zlib.decompressobj(16 + zlib.MAX_WBITS)
        if unpacker is None:
            yield chunk
            continue
        while chunk:
            try:
                yield unpacker.decompress(chunk, CHUNK_BYTES)
            except zlib.error:
                raise Unavailable("a build log did not come from Launchpad as it is kept there") from None
            chunk = unpacker.unconsumed_tail


def _dsc_url(urls: Sequence[str]) -> str:
    for url in urls:
        if _name(url).endswith(".dsc") and valid_file_name(_name(url)):
            return url
    raise NotFound("Launchpad lists no .dsc among the files of the source")


def _name(url: str) -> str:
    return unquote(urlsplit(url).path).rpartition("/")[2]
