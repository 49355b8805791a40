"""Disk images in a local directory, one folder per image.

A folder holds `disk.qcow2` (an overlay whose backing file is another folder's
disk, named relatively, or an image that stands alone), `image.json`, and
`download.qcow2` with its checksum once somebody asked for the image as one file. A
folder is renamed into place when it is complete.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import re
import secrets
import shutil
import tempfile
from builtins import list as list_
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

from ci_utils.commands import run
from ci_utils.data_directory import require_writable
from ci_utils.disk_image import qcow2
from ci_utils.errors import Conflict, InvalidRequest, NotFound
from ci_utils.image_store.port import Image, ImageStore

DISK = "disk.qcow2"
DOWNLOAD = "download.qcow2"
DOWNLOAD_CHECKSUM = "download.sha256"
METADATA = "image.json"
LOCK = ".lock"
#: The leading dot tells these folders from images.
STAGING = ".new-"
IMAGE_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class _Record:
    """What `image.json` holds."""

    image: Image
    #: Counts the images of this store, so that "oldest first" needs no clock.
    number: int
    #: The image that this one is an overlay of, if any.
    base: str | None

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=1, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> _Record:
        data = json.loads(text)
        return cls(Image(**data["image"]), data["number"], data["base"])


class LocalImageStore(ImageStore):
    """Images under `root`; people download them below `base_url`."""

    def __init__(self, root: Path, base_url: str) -> None:
        self._root = root
        self._base_url = base_url.rstrip("/")
        # Sandboxes read images under another user id; not being able to list them protects private ones.
        root.mkdir(mode=0o711, parents=True, exist_ok=True)
        self._remove_leftovers()

    def check(self) -> None:
        require_writable(self._root)

    def upload(
        self, name: str, path: Path, *, properties: Mapping[str, str] | None = None, public: bool = False
    ) -> Image:
        """See `ImageStore.upload`."""
        base = self._base_of(path)
        image_id = secrets.token_hex(16)
        with self._staging() as staging:
            disk = staging / DISK
            _copy(path, disk)
            if base:
                qcow2.rebase(disk, self._root / base / DISK, relative=True)
            disk.chmod(0o444)
            image = Image(image_id, name, disk.stat().st_size, _sha256(disk), public, dict(properties or {}))
            with self._locked():
                if base and not self._folder(base).is_dir():
                    raise Conflict(f"the base of image {name} was deleted meanwhile; build it again")
                number = max((r.number for r in self._records()), default=0) + 1
                (staging / METADATA).write_text(_Record(image, number, base).to_json())
                staging.rename(self._root / image_id)
        return image

    def get(self, image_id: str) -> Image:
        return self._record(image_id).image

    def find(self, name: str) -> Image | None:
        return next((image for image in reversed(self.list()) if image.name == name), None)

    def list(self) -> list_[Image]:
        return [r.image for r in sorted(self._records(), key=lambda r: r.number)]

    def fetch(self, image_id: str, directory: Path) -> Path:
        """See `ImageStore.fetch`. Nothing is copied: the path is the stored file."""
        self.get(image_id)
        return self._folder(image_id) / DISK

    def download(self, image_id: str, path: Path) -> None:
        """See `ImageStore.download`."""
        _copy(self.standalone_file(image_id), path)

    def open_file(self, image_id: str) -> BinaryIO:
        """See `ImageStore.open_file`."""
        return self.standalone_file(image_id).open("rb")

    def standalone_file(self, image_id: str) -> Path:
        """The image as one file, to be served to people; made at the first call and kept.

        Callers must not write to it.
        """
        record = self._record(image_id)
        folder = self._folder(image_id)
        if record.base is None:
            return folder / DISK
        target = folder / DOWNLOAD
        with self._locked(folder):
            if not target.exists():
                fresh = folder / f".{DOWNLOAD}"
                qcow2.flatten(folder / DISK, fresh, compress=True)
                fresh.rename(target)
        return target

    def standalone_checksum(self, image_id: str) -> str:
        """The SHA-256 in hex of `standalone_file`; counted at the first call and kept."""
        record = self._record(image_id)
        if record.base is None:
            return record.image.checksum
        file, kept = self.standalone_file(image_id), self._folder(image_id) / DOWNLOAD_CHECKSUM
        with self._locked(self._folder(image_id)):
            if not kept.exists():
                fresh = kept.with_name(f".{kept.name}")
                fresh.write_text(_sha256(file))
                fresh.rename(kept)
        return kept.read_text()

    def url(self, image_id: str) -> str:
        self.get(image_id)
        return f"{self._base_url}/{quote(image_id)}.qcow2"

    def delete(self, image_id: str) -> None:
        with self._staging() as trash, self._locked():
            image = self.get(image_id)
            children = sorted(r.image.name for r in self._records() if r.base == image_id)
            if children:
                raise Conflict(f"image {image.name} cannot be deleted: {', '.join(children)} is built on it")
            self._folder(image_id).rename(trash / image_id)

    def _base_of(self, path: Path) -> str | None:
        """The stored image that `path` is an overlay of."""
        backing = qcow2.backing_file(path)
        if backing is None:
            return None
        folder = backing.resolve().parent
        if folder.parent != self._root.resolve() or backing.name != DISK:
            raise InvalidRequest(f"{path.name} is an overlay on a file that is not in the image store")
        return folder.name

    def _folder(self, image_id: str) -> Path:
        if not IMAGE_ID.fullmatch(image_id):
            raise NotFound(f"there is no image {image_id[:80]!r}")
        return self._root / image_id

    def _record(self, image_id: str) -> _Record:
        try:
            return _Record.from_json((self._folder(image_id) / METADATA).read_text())
        except FileNotFoundError:
            raise NotFound(f"there is no image {image_id}") from None

    def _records(self) -> list_[_Record]:
        """All complete images; one that is deleted meanwhile is left out."""
        found = []
        for path in self._root.glob(f"[!.]*/{METADATA}"):
            with contextlib.suppress(FileNotFoundError):
                found.append(_Record.from_json(path.read_text()))
        return found

    @contextmanager
    def _staging(self) -> Iterator[Path]:
        """A folder that is renamed away when complete; whatever remains in it is removed."""
        with contextlib.ExitStack() as held:
            with self._locked():  # while a folder is made and not locked yet, nobody removes leftovers
                staging = Path(tempfile.mkdtemp(prefix=STAGING, dir=self._root))
                held.callback(shutil.rmtree, staging, ignore_errors=True)
                staging.chmod(0o755)
                held.enter_context(self._locked(staging))
            yield staging

    def _remove_leftovers(self) -> None:
        """Remove what a killed process left: staging folders whose lock nobody holds."""
        with self._locked():
            for staging in self._root.glob(f"{STAGING}*"):
                with contextlib.suppress(OSError), (staging / LOCK).open("w") as lock:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(staging, ignore_errors=True)

    @contextmanager
    def _locked(self, folder: Path | None = None) -> Iterator[None]:
        with ((folder or self._root) / LOCK).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _copy(source: Path, target: Path) -> None:
    """Copy sparsely and, on file systems that can, without copying blocks at all."""
    run(["cp", "--reflink=auto", "--sparse=always", "--", source, target], timeout=qcow2.COPY_SECONDS)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
