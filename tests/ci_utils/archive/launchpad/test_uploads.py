"""What is handed in reaches Launchpad once, and what Launchpad would refuse is refused before."""

from __future__ import annotations

from pathlib import Path

import pytest

from ci_utils.archive.launchpad.archives import LaunchpadArchives
from ci_utils.errors import ToolMissing, Unavailable, UploadRejected
from tests.ci_utils.archive.launchpad.conftest import POOL
from tests.ci_utils.source_package.uploads import SigningKey, throw_away_key
from tests.harness.launchpad.server import Server
from tests.source_packages import SourcePackage

pytestmark = pytest.mark.server


@pytest.fixture
def changes(tmp_path: Path, uploader: SigningKey) -> Path:
    return SourcePackage("tiny", "1.0", series="unstable").upload(tmp_path / "upload", uploader)


def test_an_upload_is_for_the_series_of_the_engine_and_has_the_signature_it_came_with(
    archives: LaunchpadArchives, server: Server, changes: Path
):
    archives.upload(POOL, changes)
    server.launchpad.tick()
    [source] = server.launchpad.ppas["ci_pool-001"].sources
    assert (source.name, source.version) == ("tiny", "1.0")
    assert server.launchpad.mails == []
    [sent] = source.files[0].parent.glob("*.changes")
    assert sent.read_bytes() == changes.read_bytes()


def test_what_launchpad_has_is_not_sent_again(archives: LaunchpadArchives, server: Server, changes: Path):
    archives.upload(POOL, changes)
    server.launchpad.tick()
    archives.upload(POOL, changes)
    assert server.ftp.uploads == 1


def test_what_is_sent_again_before_launchpad_looked_at_it_is_built_once(
    archives: LaunchpadArchives, server: Server, changes: Path
):
    for _ in range(2):
        archives.upload(POOL, changes)
    server.launchpad.tick()
    assert server.ftp.uploads == 2
    assert [build.source for build in archives.builds(POOL)] == ["tiny"]


def test_what_launchpad_refuses_in_a_mail_has_no_build(
    archives: LaunchpadArchives, server: Server, tmp_path: Path
):
    with throw_away_key("Stranger <stranger@example.com>") as stranger:
        archives.upload(POOL, SourcePackage("tiny", "1.0").upload(tmp_path, stranger))
    server.launchpad.tick()
    assert "does not trust" in server.launchpad.mails[0]
    assert archives.builds(POOL) == []


def test_an_upload_that_breaks_off_can_be_repeated(
    archives: LaunchpadArchives, server: Server, changes: Path
):
    server.ftp.broken = True
    with pytest.raises(Unavailable, match=r"tiny_1.0_source.changes to 127.0.0.1:\d+ broke off"):
        archives.upload(POOL, changes)
    server.launchpad.tick()
    assert archives.builds(POOL) == []
    server.ftp.broken = False
    archives.upload(POOL, changes)
    server.launchpad.tick()
    assert [build.source for build in archives.builds(POOL)] == ["tiny"]


def test_a_machine_without_dput_says_what_to_install(
    archives: LaunchpadArchives, changes: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(ToolMissing, match="apt-get install dput"):
        archives.upload(POOL, changes)


def test_another_content_of_a_version_is_refused(
    archives: LaunchpadArchives, server: Server, changes: Path, uploader: SigningKey, tmp_path: Path
):
    archives.upload(POOL, changes)
    server.launchpad.tick()
    other = SourcePackage("tiny", "1.0", build="echo other").upload(tmp_path / "other", uploader)
    with pytest.raises(UploadRejected, match=r"tiny 1.0 is not higher than 1.0, which this archive had"):
        archives.upload(POOL, other)


@pytest.mark.parametrize(
    ("archive", "version", "status"),
    [
        ("ci_pool-001", "1.1", "Published"),
        ("ci_pool-001", "1.1", "Pending"),
        ("ci_pool-001", "1.0", "Deleted"),
        ("archive", "1.0", "Published"),
        ("archive", "1.1", "Superseded"),
        ("archive", "1.1", "Deleted"),
    ],
)
def test_a_version_that_launchpad_or_users_have_seen_is_refused(
    archives: LaunchpadArchives, server: Server, changes: Path, archive: str, version: str, status: str
):
    server.launchpad.put(archive, "tiny", version, status=status)
    with pytest.raises(UploadRejected, match=f"tiny 1.0 is not higher than {version}"):
        archives.upload(POOL, changes)
    assert server.ftp.uploads == 0


def test_a_version_below_one_that_was_deleted_from_the_archive_is_taken(
    archives: LaunchpadArchives, server: Server, changes: Path
):
    server.launchpad.put("ci_pool-001", "tiny", "1.1", status="Deleted", removed=True)
    archives.upload(POOL, changes)
    server.launchpad.tick()
    assert server.launchpad.mails == []


def test_a_source_with_a_longer_name_is_another(archives: LaunchpadArchives, server: Server, changes: Path):
    server.launchpad.put("archive", "tiny-tools", "9")
    archives.upload(POOL, changes)
    assert server.ftp.uploads == 1
