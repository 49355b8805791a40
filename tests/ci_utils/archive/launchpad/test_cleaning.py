"""An archive is clean when Launchpad has removed everything, not when it was asked to."""

from __future__ import annotations

import pytest

from ci_utils.archive.launchpad.archives import LaunchpadArchives
from ci_utils.archive.launchpad.cleaning import RUN_OF_REMOVED
from tests.ci_utils.archive.launchpad.conftest import POOL
from tests.harness.launchpad.model import Launchpad
from tests.harness.launchpad.server import Server

pytestmark = pytest.mark.server


def test_an_archive_is_clean_once_the_dates_of_removal_are_set(
    archives: LaunchpadArchives, launchpad: Launchpad
):
    launchpad.put("ci_pool-001", "tiny", "1.0")
    launchpad.put("ci_pool-001", "busy", "1.0", build="Currently building")
    archives.request_cleaning(POOL)
    assert archives.sources(POOL) == []
    assert archives.builds(POOL) == []
    assert not archives.is_clean(POOL)
    launchpad.tick()
    assert archives.is_clean(POOL)
    ppa = launchpad.ppas["ci_pool-001"]
    assert [build.state for source in ppa.sources for build in source.builds] == [
        "Successfully built",
        "Cancelling build",
    ]


def test_a_binary_whose_source_is_gone_is_deleted_too(archives: LaunchpadArchives, launchpad: Launchpad):
    launchpad.put("ci_pool-001", "tiny", "1.0").status = "Deleted"
    archives.request_cleaning(POOL)
    launchpad.tick()
    assert archives.is_clean(POOL)


@pytest.mark.parametrize("status", ["Superseded", "Deleted"])
def test_files_that_are_left_of_former_versions_keep_it_from_being_clean(
    archives: LaunchpadArchives, launchpad: Launchpad, status: str
):
    launchpad.frozen = True
    launchpad.put("ci_pool-001", "tiny", "1.0", status=status)
    launchpad.put("ci_pool-001", "tiny", "1.1", status="Deleted", removed=True)
    assert not archives.is_clean(POOL)


def test_cleaning_again_does_no_harm(archives: LaunchpadArchives, launchpad: Launchpad):
    launchpad.put("ci_pool-001", "tiny", "1.0")
    for _ in range(2):
        archives.request_cleaning(POOL)
    launchpad.tick()
    archives.request_cleaning(POOL)
    assert archives.is_clean(POOL)


def test_a_long_history_is_not_read_to_its_beginning(archives: LaunchpadArchives, server: Server):
    for number in range(3 * RUN_OF_REMOVED):
        server.launchpad.put("ci_pool-001", "tiny", f"1.{number}", status="Deleted", removed=True)
    assert archives.is_clean(POOL)
    assert server.web.asked["getPublishedSources"] == RUN_OF_REMOVED / server.web.page_size
    server.launchpad.frozen = True
    server.launchpad.put("ci_pool-001", "late", "1.0", status="Deleted")
    assert not archives.is_clean(POOL)
