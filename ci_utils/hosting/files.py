"""Serves what the local adapters keep: files of the data store, images, archives.

In the distributed shape Swift, Glance and Launchpad do this; the addresses
are made by the adapters. What builds and tests wrote is never rendered by a
browser: it goes out as an attachment.
"""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, BinaryIO

from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse

from ci_utils.api.authentication import TokenAuthentication
from ci_utils.api.resources import error_response, principal_of_request
from ci_utils.data_store.local import LocalDataStores
from ci_utils.data_store.presentation import content_headers
from ci_utils.data_store.serving import part_of, readable, writable
from ci_utils.disk_space import DISK_FULL, says_full
from ci_utils.errors import CIError, InvalidRequest, NotFound, Unavailable
from ci_utils.hosting import ports

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
            except OSError as error:
                if not says_full(error):
                    raise
                return error_response(Unavailable(DISK_FULL))

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
    stream = store.open_file(filename)
    status = os.fstat(stream.fileno())
    tag = f'"{status.st_ino:x}-{status.st_mtime_ns:x}-{status.st_size:x}"'
    return _answer(request, stream, filename, tag=tag)


@_view("GET", "HEAD")
def image(request: HttpRequest, image_id: str) -> HttpResponseBase:
    """An image as one qcow2 file: public ones for anybody, others by signed URL."""
    store = ports.image_store()
    query = request.GET.dict()
    if "signature" in query:
        ports.url_signer().check("GET", ports.IMAGES, f"{image_id}.qcow2", query)
    elif not store.get(image_id).public and not principal_of_request(request).sees_all:
        raise NotFound(f"there is no image {image_id}")
    checksum = store.standalone_checksum(image_id)
    filename = f"{store.get(image_id).name}.qcow2"
    response = _answer(request, store.open_file(image_id), filename, tag=f'"{checksum}"')
    # RFC 9530: of the whole file, also where a part of it is sent.
    digest = base64.b64encode(bytes.fromhex(checksum)).decode()
    response["Repr-Digest"] = f"sha-256=:{digest}:"
    return response


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


def _answer(request: HttpRequest, stream: BinaryIO, filename: str, *, tag: str) -> HttpResponseBase:
    """The file, or the part that the request wants of it if it is still the file that it knows by `tag`."""
    known = request.headers.get("If-Range", tag) == tag
    size = stream.seek(0, os.SEEK_END)
    part = part_of(stream, size, request.headers.get("Range", "") if known else "")
    response = StreamingHttpResponse(
        part,
        status=206 if part.partial else 200,
        headers=content_headers(filename),
    )
    response["Content-Length"] = str(part.length)
    response["Accept-Ranges"] = "bytes"
    response["ETag"] = tag
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    if part.partial:
        response["Content-Range"] = part.content_range
    return response
