"""Serves what the local adapters keep: files of the data store, images, archives.

In the distributed shape Swift, Glance and Launchpad do this; the addresses
are made by the adapters. What builds and tests wrote is never rendered by a
browser: it goes out as an attachment.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse

from ci_utils.api.authentication import TokenAuthentication
from ci_utils.api.resources import error_response, principal_of_request
from ci_utils.data_store.local import LocalDataStores
from ci_utils.data_store.serving import FilePart, open_part, part_of, readable, writable
from ci_utils.errors import CIError, InvalidRequest, NotFound
from ci_utils.hosting import ports
from ci_utils.image_store.local import LocalImageStore

MAX_UPLOAD_BYTES = 16 << 30
#: What apt reads of an archive; nothing else in its directory is served, and no name that begins with a dot.
ARCHIVE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+_-]{0,200}", re.ASCII)
ARCHIVE_FILE = re.compile(
    r"(dists|pool)(/[A-Za-z0-9][A-Za-z0-9._+~:-]{0,250}){1,12}|key\.(asc|gpg)", re.ASCII
)
UPLOAD_LENGTH = re.compile(r"[0-9]{1,15}", re.ASCII)

View = Callable[..., HttpResponseBase]


def _view(*methods: str) -> Callable[[View], View]:
    """A view of these methods, with the principal known and errors as JSON."""

    def decorate(view: View) -> View:
        @wraps(view)
        def wrapper(request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
            if request.method not in methods:
                return HttpResponse(status=405, headers={"Allow": ", ".join(methods)})
            try:
                TokenAuthentication().is_authenticated(request)
                return view(request, **kwargs)
            except CIError as error:
                return error_response(error)

        wrapper.csrf_exempt = True  # type: ignore[attr-defined]
        return wrapper

    return decorate


@_view("GET", "HEAD", "PUT")
def data(request: HttpRequest, container: str, filename: str) -> HttpResponseBase:
    """A file of the data store: public ones for anybody, others by signed URL."""
    stores = ports.data_stores()
    if not isinstance(stores, LocalDataStores):
        raise NotFound("this engine keeps its files elsewhere")
    query = request.GET.dict()
    if request.method == "PUT":
        length = request.headers.get("Content-Length", "")
        if not UPLOAD_LENGTH.fullmatch(length):
            raise InvalidRequest("the upload must say its Content-Length")
        store = writable(stores, container, filename, query)
        store.receive(filename, request, length=int(length), limit=MAX_UPLOAD_BYTES)  # type: ignore[arg-type]
        return HttpResponse(status=201)
    store = readable(stores, container, filename, query, allowed=principal_of_request(request).sees_all)
    return _answer(open_part(store, filename, request.headers.get("Range", "")), filename)


@_view("GET", "HEAD")
def image(request: HttpRequest, image_id: str) -> HttpResponseBase:
    """An image as one qcow2 file: public ones for anybody, others by signed URL."""
    store = ports.image_store()
    if not isinstance(store, LocalImageStore):
        raise NotFound("this engine keeps its images elsewhere")
    query = request.GET.dict()
    if "signature" in query:
        ports.url_signer().check("GET", ports.IMAGES, f"{image_id}.qcow2", query)
    elif not store.get(image_id).public and not principal_of_request(request).sees_all:
        raise NotFound(f"there is no image {image_id}")
    path = store.standalone_file(image_id)
    part = part_of(path.open("rb"), path.stat().st_size, request.headers.get("Range", ""))
    return _answer(part, f"{store.get(image_id).name}.qcow2")


@_view("GET", "HEAD")
def archive(request: HttpRequest, owner: str, name: str, filename: str) -> HttpResponseBase:
    """An apt archive, as apt reads it: the destination for anybody, the pool for operators."""
    if name != ports.config().destination_archive and not principal_of_request(request).sees_all:
        raise NotFound(f"there is no archive ppa:{owner}/{name} here")
    sound = (
        ARCHIVE_NAME.fullmatch(owner) and ARCHIVE_NAME.fullmatch(name) and ARCHIVE_FILE.fullmatch(filename)
    )
    if not sound:
        raise NotFound(f"there is no file {filename[:200]!r} in ppa:{owner[:80]}/{name[:80]}")
    root = (ports.config().data_dir / "archives" / owner / name).resolve()
    path = (root / filename).resolve()
    if not path.is_relative_to(root) or not path.is_file():
        raise NotFound(f"there is no file {filename} in ppa:{owner}/{name}")
    return FileResponse(path.open("rb"), content_type=_apt_type(path))


def _apt_type(path: Path) -> str:
    return "application/vnd.debian.binary-package" if path.suffix == ".deb" else "application/octet-stream"


def _answer(part: FilePart, filename: str) -> HttpResponseBase:
    is_text = filename.endswith((".log", ".txt", ".manifest", ".diff", ".changes", ".dsc"))
    response = StreamingHttpResponse(
        part,
        status=206 if part.partial else 200,
        content_type="text/plain; charset=utf-8" if is_text else "application/octet-stream",
    )
    response["Content-Length"] = str(part.length)
    response["Accept-Ranges"] = "bytes"
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    if part.partial:
        response["Content-Range"] = part.content_range
    if not is_text:
        response["Content-Disposition"] = f'attachment; filename="{_header_safe(filename)}"'
    return response


def _header_safe(filename: str) -> str:
    return re.sub(r"[^A-Za-z0-9._+~-]", "_", filename)
