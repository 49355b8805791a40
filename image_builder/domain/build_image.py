"""The verb of the image builder: make a ticket's image.

Specification: chapter "Image Builder", `build_image`.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO, Protocol

from ci_utils.apt.mirror import Mirror
from ci_utils.archive.port import Archives
from ci_utils.data_store.port import DataStore, DataStores
from ci_utils.disk_image import qcow2
from ci_utils.disk_image.customise import read_file
from ci_utils.disk_image.install import install
from ci_utils.disk_image.manifest import (
    DPKG_STATUS,
    difference,
    manifest_text,
    parse_status,
    read_manifest,
)
from ci_utils.errors import Cancelled, CIError, StageFailed
from ci_utils.image_store.port import Image, ImageStore
from ci_utils.sandbox.limits import DEFAULT_LIMITS, Limits
from ci_utils.sandbox.trees import remove_tree
from image_builder.domain.base_images import BaseImages

logger = logging.getLogger(__name__)

COMPONENT = "image"
STEPS = 4
#: Of base images; each has some hundred kilobytes.
KEPT_STATUSES = 4


class Report(Protocol):
    """Tells those who wait how far the work is."""

    def __call__(self, message: str, *, current: int | None = None, total: int | None = None) -> None: ...


def build_image(
    *,
    ticket_id: str,
    trigger: str,
    base: str,
    series: str,
    archive_list: Sequence[str],
    add: Sequence[str],
    remove: Sequence[str],
    lasting_archive: str | None,
    private: bool,
    base_images: BaseImages,
    archives: Archives,
    image_store: ImageStore,
    data_stores: DataStores,
    mirror: Mirror,
    work_dir: Path,
    limits: Limits = DEFAULT_LIMITS,
    timeout: float,
    report: Report,
    cancelled: Callable[[], bool],
) -> Mapping[str, object]:
    """Make the image `ticket.ID` and store it.

    `base` names a base image, or is a data-store URL of one; empty, the
    default one is taken. Packages that `archive_list` has in a higher version are
    upgraded, `add` is installed, `remove` purged. `lasting_archive` becomes an apt
    source of the image. `limits` are for what packages run when they are
    installed, `timeout` in seconds is for each long step.

    Returns `image_id`, `image_name`, `url_list`, `size`, and the URLs
    `manifest`, `manifest_diff` and `logs`. Raises `StageFailed` with `logs`, or
    `Cancelled`. Done again after a crash, it takes the image if it is complete.
    """
    name = f"ticket.{ticket_id}"
    files = _Files(data_stores.open(name, COMPONENT, public=not private), trigger)
    finished = image_store.find(name)
    if finished and finished.properties.get("request") == trigger:
        return _result(finished, image_store, files)
    directory = work_dir / trigger
    remove_tree(directory)
    directory.mkdir(mode=0o700, parents=True)
    try:
        with (directory / "log").open("w+b") as log:
            try:
                build = _Build(directory, image_store, mirror, log, limits, timeout, report, cancelled)
                base_image = build.base(base, series, base_images, data_stores)
                build.start_from(base_image)
                build.change(archives, archive_list, add=add, remove=remove, lasting_archive=lasting_archive)
                build.describe(files)
            except CIError as error:
                log.seek(0, os.SEEK_END)
                log.write(f"{error.message}\n".encode())
                raise
            finally:
                files.put_log(log)
        properties = {"ticket": ticket_id, "base": base_image.name, "series": series, "request": trigger}
        report("storing the image", current=4, total=STEPS)
        image = image_store.upload(name, build.overlay, properties=properties, public=not private)
    except Cancelled:
        raise
    except CIError as error:
        if not isinstance(error, StageFailed):
            logger.exception("the image of ticket %s cannot be built", ticket_id)
        raise StageFailed(error.message, result={"logs": files.logs}) from None
    finally:
        remove_tree(directory)
    return _result(image, image_store, files)


@dataclass
class _Files:
    """The files of one request in the ticket's container; their names begin with its trigger."""

    store: DataStore
    trigger: str

    @property
    def logs(self) -> list[str]:
        name = f"{self.trigger}.log"
        return [self.store.file_path(name)] if name in self.store.list_files() else []

    @property
    def manifest(self) -> str:
        return self.store.file_path(f"{self.trigger}.manifest")

    @property
    def manifest_diff(self) -> str:
        return self.store.file_path(f"{self.trigger}.manifest-diff")

    def put_log(self, log: BinaryIO) -> None:
        log.seek(0)
        self.store.put_file(f"{self.trigger}.log", log)

    def put_manifests(self, manifest: str, manifest_diff: str) -> None:
        self.store.put_file(f"{self.trigger}.manifest", manifest.encode())
        self.store.put_file(f"{self.trigger}.manifest-diff", manifest_diff.encode())


@dataclass
class _Build:
    """One image in work."""

    directory: Path
    image_store: ImageStore
    mirror: Mirror
    log: BinaryIO
    limits: Limits
    timeout: float
    report: Report
    cancelled: Callable[[], bool]

    @property
    def overlay(self) -> Path:
        return self.directory / "image.qcow2"

    def base(self, base: str, series: str, base_images: BaseImages, data_stores: DataStores) -> Image:
        """The base image, which must be of the series that the engine's mirror has."""
        self.report("looking for the base image", current=1, total=STEPS)
        if series != self.mirror.series:
            raise StageFailed(f"this engine makes images of {self.mirror.series}, not of {series}")
        if "://" in base:
            return base_images.from_data_store(base, data_stores)
        if base:
            return base_images.get(base)
        return base_images.default(
            log=self.log, timeout=self.timeout, report=self.report, cancelled=self.cancelled
        )

    def start_from(self, base_image: Image) -> None:
        """Begin with an empty overlay on the base image."""
        self.base_path = self.image_store.fetch(base_image.id, self.directory)
        qcow2.create_overlay(self.overlay, self.base_path)
        self.base_status = _status_of(base_image.id, self.base_path)

    def change(
        self,
        archives: Archives,
        archive_list: Sequence[str],
        *,
        add: Sequence[str],
        remove: Sequence[str],
        lasting_archive: str | None,
    ) -> None:
        """Install, upgrade and remove packages."""
        self.report("installing the packages in the image", current=2, total=STEPS)
        install(
            self.overlay,
            self.mirror,
            archives=[archives.apt_archive(archive) for archive in archive_list],
            add=add,
            remove=remove,
            status=self.base_status,
            lasting_source=archives.apt_archive(lasting_archive) if lasting_archive else None,
            limits=self.limits,
            log=self.log,
            timeout=self.timeout,
            cancelled=self.cancelled,
        )

    def describe(self, files: _Files) -> None:
        """Store the list of packages and how it differs from the base image's."""
        self.report("listing the packages of the image", current=3, total=STEPS)
        before = parse_status(self.base_status.decode(errors="replace"))
        after = read_manifest(self.overlay)
        files.put_manifests(manifest_text(after), difference(before, after).to_text())


@lru_cache(maxsize=KEPT_STATUSES)
def _status_of(image_id: str, path: Path) -> bytes:
    """The dpkg status of a base image, which never changes; to mount it takes longer than to remember it."""
    return read_file(path, DPKG_STATUS)


def _result(image: Image, image_store: ImageStore, files: _Files) -> Mapping[str, object]:
    return {
        "image_id": image.id,
        "image_name": image.name,
        "url_list": [image_store.url(image.id)],
        "size": image.size,
        "manifest": files.manifest,
        "manifest_diff": files.manifest_diff,
        "logs": files.logs,
    }
