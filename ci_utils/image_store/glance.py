"""Disk images in Glance.

Every image stands alone there, so that any machine of the cloud boots it: an
overlay is flattened first. What makes an image one of this store is its
checksum among its properties, which is set when all of it is stored and found
to be the same. Images of other projects are never seen, whatever they say.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import tempfile
import time
from builtins import list as list_
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote

from ci_utils.config import Credentials
from ci_utils.data_directory import require_writable
from ci_utils.disk_image import qcow2
from ci_utils.errors import CIError, Conflict, InvalidRequest, NotFound, Unavailable
from ci_utils.image_store.cache import ImageCache
from ci_utils.image_store.glance_project import GlanceProject
from ci_utils.image_store.port import Image, ImageStore
from ci_utils.image_store.remote_file import RemoteFile
from ci_utils.retries import retried

IMAGE_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

#: Names of Glance properties: our own, and before the name of each property of the caller.
CHECKSUM = "uci_sha256"
#: Tells apart what was stored within the one second that Glance counts in.
STORED_AT = "uci_stored_at"
PROPERTY = "uci_property_"

#: For whom every tenant may boot the image by its id, without filling their lists. Any member may set it.
PUBLIC = "community"
OPEN_TO_ALL = ("public", "community")

#: An image that is not complete after this long has lost whoever stored it.
LEFT_AFTER = timedelta(days=1)
COPY_BYTES = 1 << 20


class GlanceImageStore(ImageStore):
    """The images of the engine's project.

    People download them below `base_url`, from the engine: Glance would want
    a token of them. Copies for this host lie in `work_dir`, at most
    `cache_bytes` of them.
    """

    def __init__(
        self,
        credentials: Credentials,
        work_dir: Path,
        cache_bytes: int,
        base_url: str,
        *,
        left_after: timedelta = LEFT_AFTER,
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._left_after = left_after
        self._cache = ImageCache(work_dir, cache_bytes)
        self._project = GlanceProject(credentials)

    def check(self) -> None:
        require_writable(self._cache.directory)
        self._project.check()

    def upload(
        self, name: str, path: Path, *, properties: Mapping[str, str] | None = None, public: bool = False
    ) -> Image:
        """See `ImageStore.upload`."""
        self._remove_leftovers()
        with tempfile.TemporaryDirectory(prefix=".upload-", dir=path.parent) as scratch:
            whole = self._standing_alone(name, path, Path(scratch))
            marks = {f"{PROPERTY}{key}": value for key, value in (properties or {}).items()}
            marks[STORED_AT] = f"{time.time_ns():020}"
            return retried(lambda: self._store(name, whole, marks, public=public))

    def get(self, image_id: str) -> Image:
        if not IMAGE_ID.fullmatch(image_id):
            raise NotFound(f"there is no image {image_id[:80]!r}")
        found = retried(lambda: self._project.get(image_id))
        if not (self._project.owns(found) and found.status == "active" and found.get(CHECKSUM)):
            raise NotFound(f"there is no image {image_id}")
        return _image(found)

    def find(self, name: str) -> Image | None:
        found = self._list(name=name)
        return found[-1] if found else None

    def list(self) -> list_[Image]:
        return self._list()

    def fetch(self, image_id: str, directory: Path) -> Path:
        """See `ImageStore.fetch`. The path is in `directory`; the image was checked when it was copied."""
        return self._cache.fetch(self.get(image_id), directory, lambda path: self.download(image_id, path))

    def download(self, image_id: str, path: Path) -> None:
        """See `ImageStore.download`. Raises `Unavailable` if what comes has another checksum."""
        image = self.get(image_id)
        retried(lambda: self._download(image, path))

    def open_file(self, image_id: str) -> BinaryIO:
        """See `ImageStore.open_file`. Nothing is kept on this host, and no more than a piece in memory."""
        image = self.get(image_id)
        return RemoteFile(
            lambda start: self._project.open_at(image_id, image.name, start), image.size
        ).buffered()

    def standalone_checksum(self, image_id: str) -> str:
        return self.get(image_id).checksum

    def url(self, image_id: str) -> str:
        self.get(image_id)
        return f"{self._base_url}/{quote(image_id)}.qcow2"

    def delete(self, image_id: str) -> None:
        """See `ImageStore.delete`. Images in Glance stand alone: none is built on another."""
        image = self.get(image_id)
        self._project.delete(image_id, image.name)
        self._cache.forget(image_id)

    def _store(self, name: str, path: Path, marks: Mapping[str, str], *, public: bool) -> Image:
        made = self._project.create(name, marks)
        try:
            _compare(self._project.send(made, path), path)
            visibility = PUBLIC if public else "private"
            checksum = _digest(path, "sha256")
            return _image(self._project.change(made, visibility=visibility, **{CHECKSUM: checksum}))
        except BaseException:
            with contextlib.suppress(CIError):
                self._project.delete(made.id, name)
            raise

    def _download(self, image: Image, path: Path) -> None:
        digest = hashlib.sha256()
        with self.open_file(image.id) as source, path.open("wb") as target:
            while block := source.read(COPY_BYTES):
                digest.update(block)
                target.write(block)
        if digest.hexdigest() != image.checksum:
            path.unlink()
            raise Unavailable(f"image {image.name} does not come from Glance with the checksum that it had")
        qcow2.require_standalone(path, image.name)

    def _list(self, **filters: str) -> list_[Image]:
        records = retried(lambda: self._project.list(status="active", **filters))
        records.sort(key=lambda found: (found.created_at, found.get(STORED_AT, "")))
        return [_image(found) for found in records if found.get(CHECKSUM)]

    def _standing_alone(self, name: str, path: Path, scratch: Path) -> Path:
        """The file to store: `path`, or what its overlay and the stored image under it are together."""
        backing = qcow2.backing_file(path)
        if backing is None:
            return path
        try:
            base = self.get(backing.stem)
        except NotFound:
            if not IMAGE_ID.fullmatch(backing.stem):
                raise InvalidRequest(
                    f"{path.name} is an overlay on a file that is not in the image store"
                ) from None
            raise Conflict(f"the base of image {name} was deleted meanwhile; build it again") from None
        if _digest(backing, "sha256") != base.checksum:
            raise InvalidRequest(f"{path.name} is an overlay on a file that is not in the image store")
        whole = scratch / "image.qcow2"
        qcow2.flatten(path, whole, compress=True)
        return whole

    def _remove_leftovers(self) -> None:
        """Delete what a process that was killed while it stored an image left in Glance."""
        latest = datetime.now(UTC) - self._left_after
        with contextlib.suppress(Unavailable):
            for found in self._project.list():
                begun = datetime.fromisoformat(found.created_at)
                if found.get(STORED_AT) and not found.get(CHECKSUM) and begun <= latest:
                    with contextlib.suppress(CIError):
                        self._project.delete(found.id, found.name)


def _compare(stored: Any, path: Path) -> None:
    """Glance tells the digest of what it got: SHA-512, unless its operators chose another."""
    if stored.size != path.stat().st_size or stored.os_hash_value != _digest(path, stored.os_hash_algo):
        raise Unavailable(f"Glance did not get all of image {stored.name}")


def _image(found: Any) -> Image:
    properties = {key.removeprefix(PROPERTY): found[key] for key in found if key.startswith(PROPERTY)}
    public = found.visibility in OPEN_TO_ALL
    return Image(found.id, found.name, found.size, found[CHECKSUM], public, properties)


def _digest(path: Path, algorithm: str) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()
