"""An image store that holds this machine's base image."""

from __future__ import annotations

from pathlib import Path

import pytest

from ci_utils.image_store.local import LocalImageStore
from tests.ci_utils.disk_image.cached_base import cached_base_image


@pytest.fixture(scope="session")
def image_store(tmp_path_factory: pytest.TempPathFactory) -> LocalImageStore:
    return LocalImageStore(tmp_path_factory.mktemp("store") / "images", "http://127.0.0.1:8000/images")


@pytest.fixture(scope="session")
def image_id(image_store: LocalImageStore) -> str:
    """The base image, stored."""
    return image_store.upload("base", cached_base_image()).id


@pytest.fixture(scope="session")
def broken_image_id(image_store: LocalImageStore, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The base image without a kernel: it can be prepared and does not boot."""
    from ci_utils.disk_image import qcow2
    from ci_utils.disk_image.customise import customise

    directory: Path = tmp_path_factory.mktemp("broken")
    path = directory / "broken.qcow2"
    base = image_store.upload("base", cached_base_image())
    qcow2.create_overlay(path, image_store.fetch(base.id, directory))
    with (directory / "log").open("wb") as log:
        customise(path, ["rm", "/vmlinuz", "/initrd.img"], log=log, timeout=300)
    return image_store.upload("broken", path).id
