"""Publishing copies all sources or none, once, and ends when users can install them."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from ci_utils.archive.launchpad import copying
from ci_utils.archive.launchpad.archives import LaunchpadArchives
from ci_utils.archive.port import PublishedSource
from ci_utils.errors import Conflict, NotFound, Unavailable
from tests.ci_utils.archive.launchpad.conftest import DESTINATION, POOL
from tests.harness.launchpad.model import Launchpad
from tests.harness.launchpad.server import Server
from tests.harness.launchpad.web import Fault

pytestmark = pytest.mark.server

BOTH = [("one", "1.0"), ("two", "2.0")]


@pytest.fixture(autouse=True)
def _waiting_lets_time_pass(launchpad: Launchpad, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SimpleNamespace(monotonic=time.monotonic, sleep=lambda _: launchpad.tick())
    monkeypatch.setattr(copying, "time", clock)


def dsc(directory: Path, text: str) -> tuple[Path]:
    directory.mkdir()
    path = directory / "one_1.0.dsc"
    path.write_text(text)
    return (path,)


def test_a_copy_ends_when_everything_is_published(archives: LaunchpadArchives, server: Server):
    for name, version in BOTH:
        server.launchpad.put("ci_pool-001", name, version)
    archives.copy(BOTH, origin=POOL, target=DESTINATION)
    expected = [PublishedSource("one", "1.0", ["one"]), PublishedSource("two", "2.0", ["two"])]
    assert archives.sources(DESTINATION) == expected
    assert server.web.asked["syncSources"] == 1


def test_an_answer_that_is_lost_does_not_fail_the_copy(archives: LaunchpadArchives, server: Server):
    server.launchpad.put("ci_pool-001", "one", "1.0")
    server.web.faults.append(Fault("syncSources", 503, afterwards=True))
    archives.copy([("one", "1.0")], origin=POOL, target=DESTINATION)
    assert server.web.asked["syncSources"] == 2
    assert [source.name for source in archives.sources(DESTINATION)] == ["one"]


def test_the_reason_of_a_refusal_is_told(archives: LaunchpadArchives, server: Server):
    server.launchpad.put("ci_pool-001", "one", "1.0")
    server.web.faults.append(
        Fault("syncSources", 400, "one 1.0 in bookworm\n (source contains expired files)")
    )
    reason = f"refused to copy to {DESTINATION}: one 1.0 in bookworm \\(source contains expired files\\)"
    with pytest.raises(Conflict, match=reason):
        archives.copy([("one", "1.0")], origin=POOL, target=DESTINATION)
    assert archives.sources(DESTINATION) == []


def test_what_the_archive_refuses_for_one_is_copied_for_none(archives: LaunchpadArchives, server: Server):
    for name, version in BOTH:
        server.launchpad.put("ci_pool-001", name, version)
    server.launchpad.put("archive", "two", "2.0", status="Deleted", removed=True)
    with pytest.raises(Conflict, match="same version already"):
        archives.copy(BOTH, origin=POOL, target=DESTINATION)
    assert archives.sources(DESTINATION) == []


@pytest.mark.parametrize("state", ["Failed to build", "Currently building"])
def test_what_is_not_built_is_not_copied(archives: LaunchpadArchives, server: Server, state: str):
    server.launchpad.put("ci_pool-001", "one", "1.0", build=state)
    with pytest.raises(Conflict, match=r"one 1.0 is not built"):
        archives.copy([("one", "1.0")], origin=POOL, target=DESTINATION)
    assert server.web.asked["syncSources"] == 0


def test_a_higher_version_stays(archives: LaunchpadArchives, server: Server):
    server.launchpad.put("ci_pool-001", "one", "1.0")
    server.launchpad.put("archive", "one", "1.1")
    with pytest.raises(Conflict, match=r"has one 1.1, which is higher than 1.0"):
        archives.copy([("one", "1.0")], origin=POOL, target=DESTINATION)


def test_another_content_of_the_version_is_told_from_the_same(
    archives: LaunchpadArchives, server: Server, tmp_path: Path
):
    server.launchpad.put("ci_pool-001", "one", "1.0", files=dsc(tmp_path / "a", "one"))
    there = server.launchpad.put("archive", "one", "1.0", files=dsc(tmp_path / "b", "one"))
    archives.copy([("one", "1.0")], origin=POOL, target=DESTINATION)
    there.files = dsc(tmp_path / "c", "other")
    with pytest.raises(Conflict, match=r"has another one 1.0"):
        archives.copy([("one", "1.0")], origin=POOL, target=DESTINATION)


def test_what_was_published_and_cleaned_away_since_is_still_published(
    archives: LaunchpadArchives, server: Server
):
    server.launchpad.put("archive", "one", "1.0")
    archives.copy([("one", "1.0")], origin=POOL, target=DESTINATION)
    with pytest.raises(NotFound, match=r"has no source two 2.0"):
        archives.copy(BOTH, origin=POOL, target=DESTINATION)


def test_publishing_that_takes_too_long_can_be_waited_for_again(
    archives: LaunchpadArchives, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    server.launchpad.put("ci_pool-001", "one", "1.0", files=dsc(tmp_path / "a", "one"))
    server.launchpad.frozen = True
    monkeypatch.setattr(copying, "PUBLISH_SECONDS", 0)
    with pytest.raises(Unavailable, match=r"one 1.0 was copied to .*, but is not published there yet"):
        archives.copy([("one", "1.0")], origin=POOL, target=DESTINATION)
    server.launchpad.frozen = False
    monkeypatch.setattr(copying, "PUBLISH_SECONDS", 60)
    archives.copy([("one", "1.0")], origin=POOL, target=DESTINATION)
    assert server.web.asked["syncSources"] == 1
