"""Builds of every architecture are followed to the point where apt finds their packages."""

from __future__ import annotations

import gzip

import pytest

from ci_utils.archive.launchpad.archives import LaunchpadArchives
from ci_utils.archive.launchpad.files import MAX_LOG_BYTES
from ci_utils.archive.port import BuildState, PublishedSource
from ci_utils.errors import NotFound
from tests.ci_utils.archive.launchpad.conftest import DESTINATION, POOL, OpenArchives
from tests.harness.launchpad.farm import ScriptedFarm
from tests.harness.launchpad.model import Launchpad
from tests.harness.launchpad.server import Server

pytestmark = pytest.mark.server

WAITING, BUILDING, UPLOADING = BuildState.NEEDS_BUILD, BuildState.BUILDING, BuildState.UPLOADING


def states(archives: LaunchpadArchives) -> list[BuildState]:
    return [build.state for build in archives.builds(POOL)]


def test_a_build_is_done_when_its_packages_are_published(archives: LaunchpadArchives, launchpad: Launchpad):
    launchpad.put("ci_pool-001", "tiny", "1.0", status="Pending", build="Needs building")
    seen = []
    for _ in range(5):
        seen += states(archives)
        launchpad.tick()
    assert seen == [WAITING, BUILDING, UPLOADING, BuildState.BUILT, BuildState.BUILT]
    assert archives.sources(POOL) == [PublishedSource("tiny", "1.0", ["tiny"])]


@pytest.mark.parametrize(
    ("state", "shown", "reason"),
    [
        ("Failed to build", BuildState.FAILED, "tiny 1.0 failed to build: its log says why"),
        ("Failed to upload", BuildState.FAILED, "tiny 1.0 failed to build: Launchpad did not accept"),
        ("Chroot problem", BuildState.FAILED, "tiny 1.0 failed to build: Launchpad could not prepare"),
        ("Cancelled build", BuildState.CANCELLED, "the build of tiny 1.0 was cancelled"),
        ("Build for superseded Source", BuildState.CANCELLED, "another version of it took its place"),
        ("Cancelling build", BUILDING, ""),
        ("Gathering build output", UPLOADING, ""),
        ("A state of next year", BUILDING, ""),
    ],
)
def test_every_state_of_launchpad_is_told_as_one_of_the_engine(
    archives: LaunchpadArchives, launchpad: Launchpad, state: str, shown: BuildState, reason: str
):
    launchpad.put("ci_pool-001", "tiny", "1.0", build=state)
    [build] = archives.builds(POOL)
    assert build.state is shown
    assert build.reason.startswith(reason)
    assert bool(build.reason) == bool(reason)


def test_each_architecture_has_its_build_and_its_log(
    archives: LaunchpadArchives, launchpad: Launchpad, farm: ScriptedFarm
):
    farm.architectures = ("amd64", "arm64")
    for architecture in farm.architectures:
        source = launchpad.put("ci_pool-001", "tiny", "1.0", build="Needs building")
        source.builds[0].architecture = architecture
    farm.course = {"tiny/arm64": ["Failed to build"]}
    for _ in range(5):
        launchpad.tick()
    built, failed = archives.builds(POOL)
    assert (built.architecture, built.state) == ("amd64", BuildState.BUILT)
    assert (failed.architecture, failed.state) == ("arm64", BuildState.FAILED)
    with archives.build_log(POOL, failed.id) as log:
        assert log.read() == b"log of tiny on arm64\n"


def test_a_build_that_has_not_ended_has_no_log(archives: LaunchpadArchives, launchpad: Launchpad):
    launchpad.put("ci_pool-001", "tiny", "1.0", build="Currently building")
    [build] = archives.builds(POOL)
    with pytest.raises(NotFound, match="has not ended"):
        archives.build_log(POOL, build.id)


def test_a_log_that_unpacks_to_more_than_a_log_may_have_is_cut(
    archives: LaunchpadArchives, launchpad: Launchpad, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("ci_utils.archive.launchpad.files.MAX_LOG_BYTES", 3 << 20)
    assert MAX_LOG_BYTES > 3 << 20
    source = launchpad.put("ci_pool-001", "tiny", "1.0", build="Failed to build")
    source.builds[0].log = gzip.compress(b"x" * (50 << 20))
    [build] = archives.builds(POOL)
    with archives.build_log(POOL, build.id) as log:
        assert len(log.read()) == 3 << 20


def test_a_log_that_is_not_packed_is_read_too(archives: LaunchpadArchives, launchpad: Launchpad):
    source = launchpad.put("ci_pool-001", "tiny", "1.0", build="Failed to build")
    source.builds[0].log = b"plain text\n"
    with archives.build_log(POOL, archives.builds(POOL)[0].id) as log:
        assert log.read() == b"plain text\n"


def test_a_build_that_waits_for_another_source_of_its_ticket_is_tried_again(
    archives: LaunchpadArchives, server: Server, farm: ScriptedFarm
):
    farm.needs = {"a-user": "the-tool (>= 2.0), libc6 | the-tool"}
    farm.course = {"a-user": ["Dependency wait", "Successfully built"], "the-tool": ["Successfully built"]}
    server.launchpad.put("ci_pool-001", "a-user", "1.0", build="Needs building")
    server.launchpad.tick()
    server.launchpad.put("ci_pool-001", "the-tool", "2.0", build="Needs building")
    seen = set()
    for _ in range(9):
        seen.update(states(archives))
        server.launchpad.tick()
    assert BuildState.DEPENDENCY_WAIT not in seen
    assert states(archives) == [BuildState.BUILT, BuildState.BUILT]
    assert server.web.asked["retry"] == 1


@pytest.mark.parametrize("needed", ["the-tool (>= 3)", "the-tool (<< 2.0)", "no-such-package", ""])
def test_a_build_that_waits_for_what_nobody_builds_has_ended(
    archives: LaunchpadArchives, launchpad: Launchpad, needed: str
):
    launchpad.put("ci_pool-001", "the-tool", "2.0")
    source = launchpad.put("ci_pool-001", "a-user", "1.0", build="Dependency wait")
    source.builds[0].dependencies = needed or None
    build = archives.builds(POOL)[0]
    assert build.state is BuildState.DEPENDENCY_WAIT
    assert build.reason == f"a-user 1.0 needs {needed or 'a package'} to build, which is not available"


def test_builds_are_asked_for_no_more_often_than_they_change(open_launchpad: OpenArchives, server: Server):
    server.launchpad.put("ci_pool-001", "tiny", "1.0", build="Needs building")
    archives = open_launchpad(poll_seconds=3600)
    for _ in range(50):
        assert states(archives) == [WAITING]
        assert not archives.is_clean(POOL)
    assert server.web.asked["getBuilds"] == 1
    archives.cancel_builds(POOL)
    assert states(archives) == [BuildState.CANCELLED]


def test_lists_that_come_in_pages_are_read_to_their_end(archives: LaunchpadArchives, server: Server):
    server.web.page_size = 2
    for number in range(5):
        server.launchpad.put("archive", f"tiny-{number}", "1.0")
    assert [source.name for source in archives.sources(DESTINATION)] == [f"tiny-{n}" for n in range(5)]


def test_of_two_published_versions_the_newer_one_counts(archives: LaunchpadArchives, launchpad: Launchpad):
    for version in ("1.10", "1.9"):
        launchpad.put("archive", "tiny", version)
    assert archives.sources(DESTINATION) == [PublishedSource("tiny", "1.10", ["tiny"])]
    assert archives.versions(DESTINATION, ["tiny", "tin"]) == {"tiny": "1.10"}


def test_packages_of_the_destination_are_known(archives: LaunchpadArchives, launchpad: Launchpad):
    launchpad.put("archive", "tiny", "1.0")
    launchpad.put("archive", "gone", "1.0", status="Deleted")
    unknown = archives.unknown_binaries(["bash", "tiny", "gone", "tin"], series="bookworm")
    assert unknown == ["gone", "tin"]
