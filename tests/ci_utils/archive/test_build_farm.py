"""The farm records what became of each build, however the index answers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ci_utils.archive import build_farm
from ci_utils.archive.build_farm import BuildFarm, DependenciesMissing
from ci_utils.archive.index import ArchiveIndex, BinaryRow, BuildRow, SourceRow
from ci_utils.archive.port import BuildState
from ci_utils.errors import Unavailable
from tests.end_to_end.engine import until

ARCHIVE = "ppa:local/ci_pool-001"


class BusyIndex(ArchiveIndex):
    """Takes another upload as soon as the farm has seen that a build which it tried lacks something."""

    tried = False

    def unfinished_builds(self) -> list[BuildRow]:
        seen = super().unfinished_builds()
        if self.tried and [build.state for build in seen] == [BuildState.NEEDS_BUILD.value]:
            self.tried = False
            add_source(self, "the-tool")
        return seen


class SleepyIndex(ArchiveIndex):
    """Does not answer the farm that starts first."""

    asleep = True

    def requeue_interrupted(self) -> None:
        if self.asleep:
            self.asleep = False
            raise Unavailable("the index of the archives does not answer now")
        super().requeue_interrupted()


class StubbornIndex(ArchiveIndex):
    """Takes no end of a build for the first two times."""

    refusals = 2

    def move_build(self, build_id: str, old: BuildState, new: BuildState, reason: str = "") -> bool:
        if new is not BuildState.BUILDING and self.refusals:
            self.refusals -= 1
            raise Unavailable("the index of the archives does not answer now")
        return super().move_build(build_id, old, new, reason)


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ArchiveIndex:
    monkeypatch.setattr(build_farm, "RETRY_SECONDS", 0.01)
    return StubbornIndex(tmp_path / "index.db")


@pytest.fixture
def farm(index: ArchiveIndex, tmp_path: Path) -> Iterator[BuildFarm]:
    def lacking(build: BuildRow, cancelled: object) -> None:
        raise DependenciesMissing("libnonesuch-dev")

    farm = BuildFarm(tmp_path / "lock", index, lacking, builders=1, when_idle=lambda: None)
    yield farm
    farm.stop()


def add_source(index: ArchiveIndex, name: str) -> None:
    source = SourceRow(ARCHIVE, name, "1.0", "", f"{name}_1.0.dsc", "", "", "")
    build = BuildRow(name, ARCHIVE, name, "1.0", "amd64", BuildState.NEEDS_BUILD.value)
    index.add(ARCHIVE, [source], builds=[build])


def test_a_build_is_not_given_up_for_what_comes_in_at_that_moment(tmp_path: Path):
    index = BusyIndex(tmp_path / "index.db")

    def build_it(build: BuildRow, cancelled: object) -> None:
        if build.source == "needy" and not index.binaries(ARCHIVE):
            index.tried = True
            raise DependenciesMissing("the-tool")
        made = BinaryRow(ARCHIVE, build.source, "1.0", build.source, "1.0", "amd64", "", "")
        index.add_binaries(build, [made])
        index.move_build(build.id, BuildState.BUILDING, BuildState.BUILT)

    farm = BuildFarm(tmp_path / "lock", index, build_it, builders=1, when_idle=lambda: None)
    add_source(index, "needy")
    farm.wake()
    until(lambda: len(index.builds(ARCHIVE)) > 1 and not index.unfinished_builds())
    farm.stop()
    assert [(build.source, build.state) for build in index.builds(ARCHIVE)] == [
        ("needy", BuildState.BUILT.value),
        ("the-tool", BuildState.BUILT.value),
    ]


def test_a_farm_that_starts_while_the_index_does_not_answer_builds_when_it_is_woken_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    index = SleepyIndex(tmp_path / "index.db")

    def build_it(build: BuildRow, cancelled: object) -> None:
        index.move_build(build.id, BuildState.BUILDING, BuildState.BUILT)

    farm = BuildFarm(tmp_path / "lock", index, build_it, builders=1, when_idle=lambda: None)
    add_source(index, "early")

    def built() -> bool:
        farm.wake()  # as everybody does who looks at a build
        return not index.unfinished_builds()

    until(built)
    farm.stop()
    assert [record.message for record in caplog.records] == ["the index of the archives does not answer now"]


def test_a_build_that_cannot_start_is_recorded_once_the_index_answers(index: ArchiveIndex, farm: BuildFarm):
    source = SourceRow(ARCHIVE, "needy", "1.0", "", "needy_1.0.dsc", "libnonesuch-dev", "", "")
    build = BuildRow("id", ARCHIVE, "needy", "1.0", "amd64", BuildState.NEEDS_BUILD.value)
    index.add(ARCHIVE, [source], builds=[build])
    farm.wake()
    until(lambda: not index.unfinished_builds())
    [ended] = index.builds(ARCHIVE)
    assert (ended.state, ended.reason) == (
        BuildState.DEPENDENCY_WAIT.value,
        "needy 1.0 needs libnonesuch-dev to build, which is not available",
    )
