"""Images for the tests of disk images."""

from __future__ import annotations

from pathlib import Path

import pytest

from ci_utils.apt.mirror import Mirror
from ci_utils.disk_image import qcow2
from tests.ci_utils.disk_image.cached_base import cached_base_image, host_mirror
from tests.ci_utils.source_package.uploads import SigningKey
from tests.small_archive import SmallArchive


@pytest.fixture(scope="session")
def base_image() -> Path:
    """The base image of this machine's series; not to be written to."""
    return cached_base_image()


@pytest.fixture(scope="session")
def mirror() -> Mirror:
    return host_mirror()


@pytest.fixture
def image(base_image: Path, tmp_path: Path) -> Path:
    """An overlay on the base image in a directory of its own."""
    directory = tmp_path / "image"
    directory.mkdir(mode=0o700)
    qcow2.create_overlay(directory / "image.qcow2", base_image)
    return directory / "image.qcow2"


@pytest.fixture
def archive(tmp_path: Path, mirror: Mirror, archive_key: SigningKey) -> SmallArchive:
    """An empty signed archive of this machine's series."""
    return SmallArchive(tmp_path / "archive", mirror.series, archive_key)
