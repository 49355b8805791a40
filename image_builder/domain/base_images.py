"""Base images: what every ticket's image begins as.

One is made from the mirror when no other is given; any cloud image can be
added by path or URL with its checksum.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from ci_utils.apt.mirror import Mirror, architecture
from ci_utils.commands import never
from ci_utils.data_store.port import DataStores
from ci_utils.disk_image import qcow2
from ci_utils.disk_image.base import make_base_image
from ci_utils.disk_image.cloud_image import import_cloud_image
from ci_utils.errors import Cancelled, Conflict, NotFound
from ci_utils.image_store.port import Image, ImageStore

KIND = "base"
RETRY_SECONDS = 0.5
COPY_BYTES = 1 << 20


class BaseImages:
    """The images of the store that are marked as base images; `work_dir` holds half made ones.

    One that is made here has cloud-init if it is `for_cloud`.
    """

    def __init__(
        self, image_store: ImageStore, mirror: Mirror, work_dir: Path, *, for_cloud: bool = False
    ) -> None:
        self._for_cloud = for_cloud
        self._store = image_store
        self._mirror = mirror
        self._work_dir = work_dir

    @property
    def default_name(self) -> str:
        """The name of the one that is made from the mirror."""
        name = f"{self._mirror.series}-{architecture()}"
        return f"{name}-cloud" if self._for_cloud else name

    def list(self) -> list[Image]:
        """All base images, oldest first."""
        return [image for image in self._store.list() if image.properties.get("kind") == KIND]

    def get(self, name: str) -> Image:
        """The newest base image of this name; `NotFound` says how to add it."""
        found = [image for image in self.list() if image.name == name]
        if not found:
            raise NotFound(
                f"there is no base image {name[:80]}; add it with: uci-engine image base add NAME PATH|URL"
            )
        return found[-1]

    def default(
        self,
        *,
        log: BinaryIO,
        timeout: float,
        report: Callable[[str], None],
        cancelled: Callable[[], bool] = never,
    ) -> Image:
        """The base image for requests that name none; made from the mirror the first time."""
        return self.make(self.default_name, log=log, timeout=timeout, report=report, cancelled=cancelled)

    def make(
        self,
        name: str,
        *,
        log: BinaryIO,
        timeout: float,
        report: Callable[[str], None],
        cancelled: Callable[[], bool] = never,
    ) -> Image:
        """Make a base image of the mirror's series unless there is one of this name.

        What the tools print goes to `log`. Raises what `make_base_image` raises.
        """
        with self._locked(cancelled):
            try:
                return self.get(name)
            except NotFound:
                report(f"making the base image {name} from the mirror, once; this takes a minute or two")
            with self._half_made() as path:
                make_base_image(
                    path,
                    self._mirror,
                    for_cloud=self._for_cloud,
                    log=log,
                    timeout=timeout,
                    cancelled=cancelled,
                )
                return self._store.upload(name, path, properties=self._properties("mirror"), public=True)

    def add(self, name: str, source: str, *, sha256: str, report: Callable[[str], None]) -> Image:
        """Add a cloud image from a path or URL once its SHA-256 is checked.

        Adding the same again does nothing; `Conflict` if the name stands for
        another. Raises what `import_cloud_image` raises.
        """
        sha256 = sha256.lower()
        with self._locked(never), self._half_made() as path:
            with contextlib.suppress(NotFound):
                return _same(self.get(name), sha256)
            report(f"reading {source}")
            import_cloud_image(source, path, sha256=sha256)
            properties = {**self._properties(source), "sha256": sha256}
            return self._store.upload(name, path, properties=properties, public=True)

    def from_data_store(self, url: str, data_stores: DataStores) -> Image:
        """The base image at a URL of the data store; read into the image store the first time."""
        container, filename = data_stores.locate(url)
        # With a slash it is no name that a request can have: who may read the URL is all who may build on it.
        name = f"{filename}/{hashlib.sha256(url.encode()).hexdigest()[:16]}"
        with self._locked(never), self._half_made() as path:
            with contextlib.suppress(NotFound):
                return self.get(name)
            with container.open_file(filename) as source, path.open("wb") as target:
                shutil.copyfileobj(source, target, COPY_BYTES)
            qcow2.require_standalone(path, filename)
            return self._store.upload(name, path, properties=self._properties(url))

    def remove(self, name: str) -> None:
        """Remove all base images of this name, if any; `Conflict` if others are built on one."""
        for image in self.list():
            if image.name == name:
                self._store.delete(image.id)

    def _properties(self, origin: str) -> dict[str, str]:
        return {"kind": KIND, "series": self._mirror.series, "origin": origin}

    @contextmanager
    def _half_made(self) -> Iterator[Path]:
        """Where an image lies until it is stored; the lock must be held."""
        path = self._work_dir / "base.qcow2"
        path.unlink(missing_ok=True)
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)

    @contextmanager
    def _locked(self, cancelled: Callable[[], bool]) -> Iterator[None]:
        """One maker at a time; whoever waits finds the other's image."""
        self._work_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (self._work_dir / "base.lock").open("w") as lock:
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if cancelled():
                        raise Cancelled("the work was cancelled") from None
                    time.sleep(RETRY_SECONDS)
            yield


def _same(image: Image, sha256: str) -> Image:
    if image.properties.get("sha256") != sha256:
        raise Conflict(f"there is another base image {image.name}; remove it first or choose another name")
    return image
