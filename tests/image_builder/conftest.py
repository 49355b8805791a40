"""A small engine room: real stores, real archives, the base image that all tests share."""

from __future__ import annotations

from pathlib import Path

import pytest

from ci_utils.apt.mirror import Mirror
from ci_utils.data_store.local import LocalDataStores
from ci_utils.image_store.local import LocalImageStore
from image_builder.domain.base_images import BaseImages
from tests.ci_utils.disk_image.cached_base import host_mirror


@pytest.fixture(scope="session")
def mirror() -> Mirror:
    return host_mirror()


@pytest.fixture
def data_stores(tmp_path: Path) -> LocalDataStores:
    return LocalDataStores(tmp_path / "data-store", "http://localhost", b"secret")


@pytest.fixture
def image_store(tmp_path: Path) -> LocalImageStore:
    return LocalImageStore(tmp_path / "images", "http://localhost/images")


@pytest.fixture
def base_images(image_store: LocalImageStore, mirror: Mirror, tmp_path: Path) -> BaseImages:
    return BaseImages(image_store, mirror, tmp_path / "work")
