"""The style sheet, the scripts and the icon, under names that tell their contents.

The engine serves them itself. A changed file has another name, so browsers may keep what they have for ever.
There is nothing to build or to collect: the files are few and held in memory.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

DIRECTORY = Path(__file__).parent / "static"
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
HASH_CHARACTERS = 16
FOR_EVER = "public, max-age=31536000, immutable"


@dataclass(frozen=True)
class StaticFile:
    """A file as it is sent; `name` has a part of its digest."""

    name: str
    content: bytes
    packed: bytes
    content_type: str


@cache
def files() -> Mapping[str, StaticFile]:
    """All files by the names that they have in the source."""
    return {path.name: _read(path) for path in sorted(DIRECTORY.iterdir()) if path.suffix in TYPES}


@require_safe
def static_file(request: HttpRequest, name: str) -> HttpResponse:
    """One of them by the name with its digest; packed for whoever takes that."""
    found = _by_full_name().get(name)
    if found is None:
        raise Http404(name)
    packed = "gzip" in request.headers.get("Accept-Encoding", "")
    response = HttpResponse(found.packed if packed else found.content, content_type=found.content_type)
    response["Cache-Control"] = FOR_EVER
    response["Vary"] = "Accept-Encoding"
    if packed:
        response["Content-Encoding"] = "gzip"
    return response


@cache
def _by_full_name() -> Mapping[str, StaticFile]:
    return {file.name: file for file in files().values()}


def _read(path: Path) -> StaticFile:
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()[:HASH_CHARACTERS]
    return StaticFile(
        f"{path.stem}.{digest}{path.suffix}",
        content,
        gzip.compress(content, mtime=0),
        TYPES[path.suffix],
    )
