"""A host with something to find, and the engine's archives with small limits."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ci_utils.apt.mirror import Mirror
from ci_utils.archive.local import LocalArchives
from ci_utils.archive.port import Build
from ci_utils.sandbox.limits import Limits
from tests.ci_utils.archive.conftest import mirror, uploader  # noqa: F401 -- fixtures
from tests.ci_utils.archive.contract import wait_until_built
from tests.ci_utils.disk_image.conftest import base_image, image  # noqa: F401 -- fixtures
from tests.ci_utils.source_package.uploads import SigningKey
from tests.isolation.host import Target, target
from tests.small_archive import SmallArchive
from tests.source_packages import SourcePackage

LIMITS = Limits(memory=1 << 30, processes=300, disk=64 << 20)


class Builder:
    """Builds packages one after the other in one directory of archives."""

    def __init__(self, root: Path, archives: LocalArchives, key: SigningKey) -> None:
        self.root = root
        self.archives = archives
        self._key = key

    def build(self, package: SourcePackage, directory: Path) -> tuple[Build, str]:
        """How it ended, and its log."""
        place = directory / package.name
        place.mkdir()
        pool = self.archives.list_pool()[0]
        self.archives.upload(pool, package.upload(place, self._key))
        build = next(b for b in wait_until_built(self.archives, pool) if b.source == package.name)
        with self.archives.build_log(pool, build.id) as log:
            return build, log.read().decode(errors="replace")


@pytest.fixture(scope="session")
def builder(mirror: Mirror, uploader: SigningKey) -> Iterator[Builder]:  # noqa: F811
    with tempfile.TemporaryDirectory(prefix="uci-isolation-", dir="/var/tmp") as directory:
        archives = LocalArchives(
            Path(directory) / "archives",
            mirror,
            owner="local",
            destination="archive",
            pool_size=1,
            base_url="http://127.0.0.1:8000/archives",
            build_timeout=600,
            limits=LIMITS,
        )
        archives.destination()
        archives.list_pool()
        yield Builder(Path(directory), archives, uploader)
        archives.close()


@pytest.fixture
def host() -> Iterator[Target]:
    with target() as found:
        yield found


@pytest.fixture
def small_archive(tmp_path: Path, mirror: Mirror, archive_key: SigningKey) -> SmallArchive:  # noqa: F811
    """An empty signed archive of this machine's series."""
    return SmallArchive(tmp_path / "archive", mirror.series, archive_key)
