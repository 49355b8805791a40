from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import pytest

from branch_source_builder.domain import following
from branch_source_builder.domain.build import BuildRequest, build_sources
from ci_utils.archive.port import Build, BuildState
from ci_utils.errors import Cancelled, InvalidRequest, StageFailed
from ci_utils.work_queue.progress import ProgressPublisher

PPA = "ppa:local/ci_pool-001"


class Told(ProgressPublisher):
    """Remembers what it is told to send."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, str]] = []

    def _send(self, fields: Mapping[str, Any]) -> None:
        self.messages.append((fields["state"], fields["message"]))


@pytest.fixture(autouse=True)
def _without_pauses(monkeypatch):
    monkeypatch.setattr(following, "FIRST_POLL_SECONDS", 0)


@pytest.fixture
def build(archives, stores, tmp_path):
    def run(urls, *, private=False, checksums=(), stopping=lambda: False, told=None):
        return build_sources(
            BuildRequest(
                ticket_id=1, source_packages=urls, ppa=PPA, private=private, checksums=dict(checksums)
            ),
            archives=archives,
            data_stores=stores,
            progress=told or Told(),
            directory=tmp_path / "work" / "lander-1-build",
            stopping=stopping,
        )

    return run


def test_sources_are_built_and_every_architecture_leaves_a_log(build, archives, stores, uploaded):
    archives.architectures = ("amd64", "arm64")
    result = build(uploaded("hello"))
    names = ["hello_2.10-4_amd64.build.log", "hello_2.10-4_arm64.build.log"]
    logs = stores.open("ticket.1", "logs")
    assert result == {
        "logs": [logs.file_path(name) for name in names],
        "builds": [
            {
                "source": "hello",
                "version": "2.10-4",
                "architecture": architecture,
                "state": "Successfully built",
                "log": logs.file_path(name),
            }
            for architecture, name in zip(archives.architectures, names, strict=True)
        ],
    }
    assert logs.get_file(names[1]) == b"log of hello on arm64\n"


def test_progress_says_what_is_accepted_waits_and_is_built(build, uploaded):
    told = Told()
    build(uploaded("hello"), told=told)
    assert told.messages == [
        ("WAITING", f"fetching the source packages for {PPA}"),
        ("STATUS", f"accepted by {PPA}: hello 2.10-4"),
        ("STATUS", "waiting for a builder: hello 2.10-4 on amd64"),
        ("STATUS", "building hello 2.10-4 on amd64"),
    ]


@pytest.mark.parametrize("reason", ["{}", "hello 2.10-4 failed to build: {}"])
def test_a_build_that_fails_is_named_once_and_all_logs_are_kept(build, archives, uploaded, reason):
    archives.outcome["hello"] = (BuildState.FAILED, reason.format("dh_auto_test returned exit code 2."))
    with pytest.raises(StageFailed) as failed:
        build(uploaded("hello", "zlib"))
    assert failed.value.message == (
        "hello 2.10-4 failed to build on amd64: dh_auto_test returned exit code 2"
    )
    result: Any = failed.value.result
    assert [build["state"] for build in result["builds"]] == ["Failed to build", "Successfully built"]
    assert len(result["logs"]) == 2


def test_a_build_that_never_began_has_no_log(build, archives, uploaded):
    archives.outcome["hello"] = (BuildState.DEPENDENCY_WAIT, "libnone-dev is not in any archive")
    with pytest.raises(StageFailed, match="cannot be built on amd64: libnone-dev") as failed:
        build(uploaded("hello"))
    result: Any = failed.value.result
    assert (result["logs"], result["builds"][0]["log"]) == ([], None)


def test_logs_of_an_epoch_version_are_named_without_it_and_private_ones_stay_private(build, stores, uploaded):
    build(uploaded("hello", version="1:2.10-4"), private=True)
    assert not stores.open("ticket.1", "logs").is_public("hello_2.10-4_amd64.build.log")


def test_a_refused_upload_fails_with_the_archives_sentence_and_stops_the_others(build, archives, uploaded):
    archives.refused["zlib"] = "zlib 1 is not higher than the published 2"
    with pytest.raises(StageFailed, match="zlib 1 is not higher than the published 2"):
        build(uploaded("hello", "zlib"))
    assert [record.state for record in archives.records[PPA]] == [BuildState.CANCELLED]


def test_what_is_withdrawn_before_its_turn_leaves_an_archive_alone_that_is_anothers_by_now(
    build, archives, uploaded
):
    others = Build("other-amd64", "other", "1.0", "amd64", BuildState.BUILDING)
    archives.records[PPA] = [others]
    with pytest.raises(Cancelled):
        build(uploaded("hello"), stopping=lambda: True)
    assert archives.records[PPA] == [others]


def test_what_is_withdrawn_late_does_not_stop_the_builds_of_who_has_the_archive_by_now(
    build, archives, uploaded
):
    archives.stuck = True
    others = Build("other-amd64", "other", "1.0", "amd64", BuildState.BUILDING)

    def given_to_another() -> bool:
        """The archive went back, was cleaned and is somebody else's, as soon as the upload is in it."""
        if not archives.records.get(PPA):
            return False
        archives.records[PPA] = [others]
        return True

    with pytest.raises(Cancelled):
        build(uploaded("hello"), stopping=given_to_another)
    assert archives.records[PPA] == [others]


def test_a_shutdown_leaves_the_builds_alone_and_the_next_attempt_finishes(build, archives, uploaded):
    urls = uploaded("hello")
    archives.stuck = True
    with pytest.raises(Cancelled):
        build(urls, stopping=lambda: bool(archives.records))
    assert [record.state for record in archives.records[PPA]] == [BuildState.NEEDS_BUILD]
    archives.stuck = False
    assert build(urls)["builds"][0]["state"] == "Successfully built"


def test_what_a_killed_predecessor_left_is_removed_and_nothing_stays_behind(build, uploaded, tmp_path):
    leftover = tmp_path / "work" / "lander-1-build" / "other_1_source.changes"
    leftover.parent.mkdir(parents=True)
    leftover.write_text("half a file")
    build(uploaded("hello"))
    assert list((tmp_path / "work").iterdir()) == []


def test_an_upload_that_no_archive_begins_to_build_ends_after_a_while(build, archives, uploaded, monkeypatch):
    monkeypatch.setattr(following, "PATIENCE_SECONDS", -1)
    monkeypatch.setattr(archives, "builds", lambda archive: [])
    with pytest.raises(StageFailed, match="does not say that it builds hello"):
        build(uploaded("hello"))


def test_only_files_of_the_data_store_are_fetched(build, stores):
    for url in ("http://evil.example/data/ticket.1.sources/a_1.changes", "file:///etc/passwd"):
        with pytest.raises(InvalidRequest):
            build([url])


def checksums_of(stores, urls) -> dict[str, str]:
    found = [stores.locate(url) for url in urls]
    return {name: hashlib.sha256(store.get_file(name)).hexdigest() for store, name in found}


def test_files_that_are_what_was_checked_are_built(build, stores, uploaded):
    urls = uploaded("hello")
    assert build(urls, checksums=checksums_of(stores, urls))["builds"]


def test_a_file_that_is_not_the_one_that_was_checked_is_not_built(build, archives, stores, uploaded):
    urls = uploaded("hello")
    checksums = checksums_of(stores, urls)
    changes = next(name for name in checksums if name.endswith(".changes"))
    stores.locate(urls[0])[0].put_file(changes, b"signed by somebody else")
    with pytest.raises(StageFailed, match=f"{changes} is not the file that was checked"):
        build(urls, checksums=checksums)
    assert archives.builds(PPA) == []


def test_a_file_that_was_not_checked_is_not_built(build, stores, uploaded):
    urls = uploaded("hello")
    checksums = checksums_of(stores, urls)
    dsc = next(name for name in checksums if name.endswith(".dsc"))
    del checksums[dsc]
    with pytest.raises(StageFailed, match=f"{dsc} is not the file that was checked"):
        build(urls, checksums=checksums)
