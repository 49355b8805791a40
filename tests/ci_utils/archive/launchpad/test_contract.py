"""The archives in Launchpad: the contract by the real client library, with real builds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ci_utils.apt.mirror import Mirror, architecture
from ci_utils.archive.launchpad.archives import LaunchpadArchives
from ci_utils.archive.port import Archives
from ci_utils.disk_image.packages import image_resolver
from ci_utils.errors import UploadRejected
from tests.ci_utils.archive.conftest import OpenArchives
from tests.ci_utils.archive.contract import ArchivesContract, wait_until_built, wait_until_clean
from tests.ci_utils.source_package.uploads import SigningKey
from tests.harness.launchpad.farm import RealFarm
from tests.harness.launchpad.server import OWNER, Server, launchpad_server
from tests.source_packages import SourcePackage

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]

POLL_SECONDS = 0.1


@pytest.fixture
def server(
    open_archives: OpenArchives, uploader: SigningKey, mirror: Mirror, tmp_path: Path
) -> Iterator[Server]:
    """A Launchpad that builds with the local farm."""
    farm = RealFarm(open_archives(OWNER), architecture())
    keyring = uploader.public()
    with launchpad_server(farm, series=mirror.series, keyring=keyring, by_itself=True) as server:
        yield server


@pytest.fixture
def archives(server: Server, mirror: Mirror) -> Iterator[LaunchpadArchives]:
    archives = LaunchpadArchives(
        server.config, mirror, owner=OWNER, destination="archive", poll_seconds=POLL_SECONDS
    )
    yield archives
    archives.close()


class TestLaunchpadArchives(ArchivesContract):
    OWNER = OWNER

    @pytest.fixture
    def series(self, mirror: Mirror) -> str:
        return mirror.series

    def test_a_cleaned_archive_takes_the_very_same_again_but_no_other_of_that_version(
        self, archives: Archives, pool: list[str], uploader: SigningKey, tmp_path: Path
    ):
        """Unlike others, Launchpad takes it into another archive of the pool only."""
        changes = SourcePackage("again", "1.0").upload(tmp_path, uploader)
        archives.upload(pool[0], changes)
        wait_until_built(archives, pool[0])
        archives.request_cleaning(pool[0])
        wait_until_clean(archives, pool[0])
        with pytest.raises(UploadRejected, match="had before; Launchpad takes no version twice"):
            archives.upload(pool[0], changes)
        archives.upload(pool[1], changes)
        wait_until_built(archives, pool[1])
        assert [source.name for source in archives.sources(pool[1])] == ["again"]


def test_an_image_gets_packages_from_the_address_of_a_ppa_by_its_key(
    archives: LaunchpadArchives, mirror: Mirror, uploader: SigningKey, tmp_path: Path
):
    pool = archives.list_pool()[0]
    archives.upload(pool, SourcePackage("tiny", "1.0").upload(tmp_path, uploader))
    wait_until_built(archives, pool)
    archive = archives.apt_archive(pool)
    assert archive.directory is None
    with image_resolver(mirror, status=b"", archives=[archive]) as apt:
        [package] = apt.install(["tiny"]).install
        assert (package.name, package.version) == ("tiny", "1.0")
        assert package.deb.stat().st_size > 0
