"""Whatever Launchpad or the network does ends as a sentence of the engine, never as the library's error."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from ci_utils.archive.launchpad.archives import LaunchpadArchives
from ci_utils.archive.port import BuildState
from ci_utils.errors import ConfigurationError, Forbidden, NotFound, Unavailable
from tests.ci_utils.archive.launchpad.conftest import DESTINATION, POOL, OpenArchives
from tests.ci_utils.source_package.uploads import SigningKey
from tests.harness.launchpad.farm import ScriptedFarm
from tests.harness.launchpad.server import Server
from tests.harness.launchpad.web import Fault
from tests.harness.processes import free_port
from tests.source_packages import SourcePackage

pytestmark = pytest.mark.server

Call = Callable[[LaunchpadArchives, Path], object]
CALLS: list[Call] = [
    lambda a, _: a.check(),
    lambda a, _: a.list_pool(),
    lambda a, _: a.builds(POOL),
    lambda a, _: a.cancel_builds(POOL),
    lambda a, _: a.build_log(POOL, "1"),
    lambda a, _: a.sources(POOL),
    lambda a, path: a.fetch_source(POOL, "tiny", path),
    lambda a, _: a.copy([("tiny", "1.0")], origin=POOL, target=DESTINATION),
    lambda a, _: a.request_cleaning(POOL),
    lambda a, _: a.is_clean(POOL),
    lambda a, _: a.apt_archive(POOL),
    lambda a, _: a.unknown_binaries(["tiny"], series="bookworm"),
]


@pytest.fixture(autouse=True)
def _retries_do_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lazr.restfulclient._browser.sleep", lambda _: None)


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (503, "maintenance"),
        (502, ""),
        (500, "<html>an error page</html>"),
        (429, "slow down"),
        (200, "<html>the page of a proxy</html>"),
        (200, "<html>another page, not closed"),
        (200, "null"),
        (200, ""),
        (0, "the connection breaks"),
    ],
)
@pytest.mark.parametrize("worked_before", [True, False])
def test_no_call_lets_the_librarys_errors_through(
    archives: LaunchpadArchives, server: Server, status: int, text: str, worked_before: bool, tmp_path: Path
):
    if worked_before:
        archives.list_pool()
    server.web.faults.append(Fault("", status, text, times=10_000))
    for call in CALLS:
        with pytest.raises(Unavailable, match="Launchpad"):
            call(archives, tmp_path)


def test_an_upload_waits_for_a_launchpad_that_does_not_answer(
    archives: LaunchpadArchives, server: Server, uploader: SigningKey, tmp_path: Path
):
    changes = SourcePackage("tiny", "1.0").upload(tmp_path, uploader)
    server.web.faults.append(Fault("", 503, times=10_000))
    with pytest.raises(Unavailable):
        archives.upload(POOL, changes)
    server.web.faults.clear()
    archives.upload(POOL, changes)
    server.launchpad.tick()
    assert len(archives.builds(POOL)) == 1


def test_a_short_trouble_is_not_noticed(archives: LaunchpadArchives, server: Server):
    server.web.faults.append(Fault("getPublishedSources", 503, times=3))
    assert archives.sources(POOL) == []
    server.web.faults.append(Fault("getPublishedSources", 0, times=1))
    assert archives.sources(POOL) == []


def test_an_address_where_nobody_listens_is_named_by_its_setting(open_launchpad: OpenArchives):
    archives = open_launchpad(UCI_LAUNCHPAD_API=f"http://127.0.0.1:{free_port()}")
    with pytest.raises(Unavailable, match="UCI_LAUNCHPAD_API"):
        archives.check()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CI_OAUTH_TOKEN", "no-such-token"),
        ("CI_OAUTH_TOKEN_SECRET", "hunter2hunter2"),
        ("CI_OAUTH_CONSUMER_KEY", "another"),
    ],
)
def test_a_token_that_launchpad_does_not_accept_is_named_and_no_secret_is(
    open_launchpad: OpenArchives, server: Server, name: str, value: str, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.DEBUG)
    secret = server.environment["CI_OAUTH_TOKEN_SECRET"]
    with pytest.raises(
        ConfigurationError, match=r"CI_OAUTH_TOKEN: .*uci-engine launchpad-credentials"
    ) as error:
        open_launchpad(**{name: value}).list_pool()
    said = str(error.value) + caplog.text
    assert secret not in said
    assert "hunter2" not in said


def test_who_may_not_change_an_archive_is_told(archives: LaunchpadArchives, server: Server):
    server.launchpad.put("ci_pool-001", "tiny", "1.0")
    server.web.members = []
    with pytest.raises(Forbidden, match="CI_LAUNCHPAD_USER may not"):
        archives.request_cleaning(POOL)


def test_an_archive_that_is_deleted_is_not_found(archives: LaunchpadArchives, server: Server):
    archives.builds(POOL)
    del server.launchpad.ppas["ci_pool-001"]
    with pytest.raises(NotFound, match="ci_pool-001"):
        archives.builds(POOL)


def test_a_key_that_launchpad_has_not_made_yet_is_waited_for(
    archives: LaunchpadArchives, server: Server, farm: ScriptedFarm
):
    server.launchpad.put("ci_pool-001", "tiny", "1.0")
    key, farm.signing_key = farm.signing_key, ""
    with pytest.raises(Unavailable, match="has not made the signing key"):
        archives.apt_archive(POOL)
    assert [build.state for build in archives.builds(POOL)] == [BuildState.UPLOADING]
    farm.signing_key = key
    assert [build.state for build in archives.builds(POOL)] == [BuildState.BUILT]
    assert archives.apt_archive(POOL).key == b"key"


def test_files_are_checked_against_their_dsc(
    archives: LaunchpadArchives, server: Server, uploader: SigningKey, tmp_path: Path
):
    archives.upload(POOL, SourcePackage("tiny", "1.0").upload(tmp_path, uploader))
    for _ in range(4):
        server.launchpad.tick()
    [source] = server.launchpad.ppas["ci_pool-001"].sources
    tarball = next(path for path in source.files if path.suffix == ".xz")
    content = tarball.read_bytes()
    target = tmp_path / "fetched"
    target.mkdir()
    for wrong in (content[:-1] + b"x", content + b"x", b""):
        tarball.write_bytes(wrong)
        with pytest.raises(
            Unavailable, match=r"tiny_1.0.tar.xz did not come from Launchpad as its .dsc says"
        ):
            archives.fetch_source(POOL, "tiny", target)
        assert list(target.iterdir()) == []
    tarball.unlink()
    with pytest.raises(NotFound, match=r"tiny_1.0.tar.xz any more"):
        archives.fetch_source(POOL, "tiny", target)


@pytest.mark.parametrize("where", ["~ci-team", "getPublishedSources"])
@pytest.mark.parametrize("text", ["null", "[1]", '{"a": 1}', "<a/>", ""])
def test_an_answer_that_makes_no_sense_is_no_empty_archive(
    archives: LaunchpadArchives, server: Server, where: str, text: str
):
    archives.list_pool()
    server.web.faults.append(Fault(where, 200, text, times=10_000))
    for call in (archives.sources, archives.builds, archives.is_clean):
        with pytest.raises(Unavailable, match="not its web service"):
            call(POOL)
