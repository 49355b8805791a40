"""What every adapter of `Archives` does; a test class inherits this and gives the fixture `archives`."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from ci_utils.archive.port import Archives, Build, BuildState, PublishedSource
from ci_utils.errors import CIError, Conflict, NotFound, UploadRejected
from tests.ci_utils.source_package.uploads import SigningKey
from tests.source_packages import SourcePackage

DEADLINE_SECONDS = 300


def wait_until_built(archives: Archives, archive: str, *, sources: int = 1) -> list[Build]:
    """The builds of an archive when all of that many uploaded sources have ended."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while True:
        builds = archives.builds(archive)
        if len({build.source for build in builds}) >= sources and all(b.state.ended for b in builds):
            return builds
        assert time.monotonic() < deadline, builds
        time.sleep(0.05)


def wait_until_clean(archives: Archives, archive: str) -> None:
    """Return when an archive is clean."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not archives.is_clean(archive):
        assert time.monotonic() < deadline
        time.sleep(0.05)


class ArchivesContract:
    """The tests; `archives` has a destination and at least two archives in its pool, all of `OWNER`."""

    OWNER = "local"

    @pytest.fixture
    def pool(self, archives: Archives) -> list[str]:
        return archives.list_pool()

    def test_a_fresh_pool_is_clean(self, archives: Archives, pool: list[str]):
        assert pool == sorted(pool)
        assert pool[0] == f"ppa:{self.OWNER}/ci_pool-001"
        assert archives.destination() not in pool
        for archive in pool:
            assert archives.is_clean(archive)
            assert archives.sources(archive) == []
            assert archives.builds(archive) == []

    def test_an_archive_that_is_not_there_is_not_found(self, archives: Archives):
        mine = f"ppa:{self.OWNER}"
        for name in (f"{mine}/none", "ppa:other/ci_pool-001", f"{mine}/../archive", "archive", ""):
            with pytest.raises(NotFound):
                archives.builds(name)
            with pytest.raises(NotFound):
                archives.sources(name)

    def test_a_source_is_built_and_published(
        self, archives: Archives, pool: list[str], uploader: SigningKey, tmp_path: Path
    ):
        changes = SourcePackage("tiny", "1.0").upload(tmp_path, uploader)
        archives.upload(pool[0], changes)
        archives.upload(pool[0], changes)  # the very same again
        [build] = wait_until_built(archives, pool[0])
        assert (build.source, build.version, build.state) == ("tiny", "1.0", BuildState.BUILT)
        with archives.build_log(pool[0], build.id) as log:
            assert log.read().decode().endswith("Status: successful\n")
        assert archives.sources(pool[0]) == [PublishedSource("tiny", "1.0", ["tiny"])]
        assert not archives.is_clean(pool[0])

        destination = archives.destination()
        for _ in range(2):  # copying again changes nothing
            archives.copy([("tiny", "1.0")], origin=pool[0], target=destination)
            assert archives.sources(destination) == [PublishedSource("tiny", "1.0", ["tiny"])]
        fetched = archives.fetch_source(destination, "tiny", tmp_path)
        assert fetched.name == "tiny_1.0.dsc"
        assert (tmp_path / "tiny_1.0.tar.xz").is_file()

        archives.request_cleaning(pool[0])
        wait_until_clean(archives, pool[0])
        assert archives.sources(destination) == [PublishedSource("tiny", "1.0", ["tiny"])]
        assert archives.versions(destination, ["other", "tiny"]) == {"tiny": "1.0"}
        assert archives.versions(destination, ["other"]) == {}
        with pytest.raises(NotFound):
            archives.build_log(pool[0], build.id)

        for archive in (pool[0], pool[1]):
            self.refuses(archives, archive, SourcePackage("tiny", "1.0~rc1"), uploader, tmp_path)
        with pytest.raises(UploadRejected, match=r"tiny 1.0 is not higher than 1.0"):
            archives.upload(pool[0], changes)

    def refuses(
        self, archives: Archives, archive: str, package: SourcePackage, uploader: SigningKey, directory: Path
    ) -> None:
        target = directory / archive.rpartition("/")[2]
        target.mkdir()
        with pytest.raises(UploadRejected, match=f"{package.name} {package.version} is not higher than"):
            archives.upload(archive, package.upload(target, uploader))
        assert archives.sources(archive) == []

    def test_a_cleaned_archive_takes_the_very_same_again_but_no_other_of_that_version(
        self, archives: Archives, pool: list[str], uploader: SigningKey, tmp_path: Path
    ):
        changes = SourcePackage("again", "1.0").upload(tmp_path, uploader)
        for _ in range(2):
            archives.upload(pool[0], changes)
            [build] = wait_until_built(archives, pool[0])
            assert build.state is BuildState.BUILT
            assert archives.sources(pool[0]) == [PublishedSource("again", "1.0", ["again"])]
            archives.request_cleaning(pool[0])
            wait_until_clean(archives, pool[0])
        other = SourcePackage("again", "1.0", build="echo other")
        self.refuses(archives, pool[0], other, uploader, tmp_path)

    def test_a_failing_build_says_why_and_is_not_copied(
        self, archives: Archives, pool: list[str], uploader: SigningKey, tmp_path: Path
    ):
        broken = SourcePackage("broken", "1.0", build="echo the-reason-why && false")
        archives.upload(pool[0], broken.upload(tmp_path, uploader))
        [build] = wait_until_built(archives, pool[0])
        assert build.state is BuildState.FAILED
        assert build.reason.startswith("broken 1.0 failed to build: ")
        with archives.build_log(pool[0], build.id) as log:
            text = log.read().decode()
        assert "the-reason-why" in text
        assert text.endswith("Status: attempted\n")
        with pytest.raises(Conflict, match=r"broken 1.0 is not built"):
            archives.copy([("broken", "1.0")], origin=pool[0], target=archives.destination())
        assert archives.sources(archives.destination()) == []

    def test_a_missing_build_dependency_is_named(
        self, archives: Archives, pool: list[str], uploader: SigningKey, tmp_path: Path
    ):
        needy = SourcePackage("needy", "1.0", build_depends="libnonesuch-dev (>= 2)")
        archives.upload(pool[0], needy.upload(tmp_path, uploader))
        [build] = wait_until_built(archives, pool[0])
        assert build.state is BuildState.DEPENDENCY_WAIT
        assert build.reason == "needy 1.0 needs libnonesuch-dev (>= 2) to build, which is not available"

    def test_sources_of_one_ticket_can_need_each_other(
        self, archives: Archives, pool: list[str], uploader: SigningKey, tmp_path: Path
    ):
        needs = SourcePackage("a-user", "1.0", build="the-tool", build_depends="the-tool (>= 2.0)")
        archives.upload(pool[0], needs.upload(tmp_path, uploader))
        archives.upload(pool[0], SourcePackage("the-tool", "2.0").upload(tmp_path, uploader))
        builds = wait_until_built(archives, pool[0], sources=2)
        assert [(build.source, build.state) for build in builds] == [
            ("a-user", BuildState.BUILT),
            ("the-tool", BuildState.BUILT),
        ]
        archives.copy([("a-user", "1.0"), ("the-tool", "2.0")], origin=pool[0], target=archives.destination())
        assert [s.name for s in archives.sources(archives.destination())] == ["a-user", "the-tool"]

    def test_a_build_is_cancelled(
        self, archives: Archives, pool: list[str], uploader: SigningKey, tmp_path: Path
    ):
        slow = SourcePackage("slow", "1.0", build="sleep 600")
        archives.upload(pool[0], slow.upload(tmp_path, uploader))
        self.wait_for_state(archives, pool[0], BuildState.BUILDING)
        archives.cancel_builds(pool[0])
        [build] = wait_until_built(archives, pool[0])
        assert build.state is BuildState.CANCELLED

    def test_cleaning_ends_what_is_building(
        self, archives: Archives, pool: list[str], uploader: SigningKey, tmp_path: Path
    ):
        slow = SourcePackage("slow", "1.0", build="sleep 600")
        archives.upload(pool[0], slow.upload(tmp_path, uploader))
        self.wait_for_state(archives, pool[0], BuildState.BUILDING)
        archives.request_cleaning(pool[0])
        wait_until_clean(archives, pool[0])
        assert archives.builds(pool[0]) == []

    def wait_for_state(self, archives: Archives, archive: str, state: BuildState) -> None:
        deadline = time.monotonic() + DEADLINE_SECONDS
        while all(build.state is not state for build in archives.builds(archive)):
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def test_a_copy_is_all_or_nothing(
        self, archives: Archives, pool: list[str], uploader: SigningKey, tmp_path: Path
    ):
        archives.upload(pool[0], SourcePackage("tiny", "1.0").upload(tmp_path, uploader))
        wait_until_built(archives, pool[0])
        destination = archives.destination()
        with pytest.raises(NotFound, match=r"has no source missing 1.0"):
            archives.copy([("tiny", "1.0"), ("missing", "1.0")], origin=pool[0], target=destination)
        assert archives.sources(destination) == []

    def test_a_wrong_checksum_is_refused(
        self, archives: Archives, pool: list[str], uploader: SigningKey, tmp_path: Path
    ):
        changes = SourcePackage("tiny", "1.0").upload(tmp_path, uploader)
        tarball = tmp_path / "tiny_1.0.tar.xz"
        tarball.write_bytes(tarball.read_bytes()[:-1] + b"x")
        with pytest.raises(UploadRejected, match=r"tiny_1.0.tar.xz does not match"):
            archives.upload(pool[0], changes)
        assert archives.is_clean(pool[0])

    def test_unknown_binary_packages_are_named(self, archives: Archives, series: str):
        assert archives.unknown_binaries(["bash", "no-such-package"], series=series) == ["no-such-package"]
        with pytest.raises(CIError, match="is not a package name"):
            archives.unknown_binaries(["bash:amd64"], series=series)
