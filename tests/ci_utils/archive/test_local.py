"""The local archives: the contract with real builds, and what only they promise."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest

from ci_utils.apt.mirror import Mirror
from ci_utils.apt.resolver import InstallPlan, Resolver
from ci_utils.archive.index import ArchiveIndex, BuildRow
from ci_utils.archive.local import LocalArchives
from ci_utils.archive.port import BuildState
from ci_utils.errors import InvalidRequest, Unavailable
from demo.source import make_upload, throw_away_key
from tests.ci_utils.archive.conftest import OpenArchives
from tests.ci_utils.archive.contract import ArchivesContract, wait_until_built, wait_until_clean
from tests.ci_utils.source_package.uploads import SigningKey
from tests.end_to_end.engine import until
from tests.source_packages import SourcePackage

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]


class TestLocalArchives(ArchivesContract):
    @pytest.fixture
    def series(self, mirror: Mirror) -> str:
        return mirror.series


def apt(archive_url: str, key: Path, state: Path, *arguments: str) -> str:
    """Run apt against one archive only, trusting only its key."""
    for name in ("lists/partial", "archives/partial"):
        (state / name).mkdir(parents=True, exist_ok=True)
    (state / "status").touch()
    (state / "sources.list").write_text(f"deb [signed-by={key}] {archive_url}\n")
    options = {
        "Dir::State::lists": state / "lists",
        "Dir::State::status": state / "status",
        "Dir::Cache": state,
        "Dir::Cache::archives": state / "archives",
        "Dir::Etc::sourcelist": state / "sources.list",
        "Dir::Etc::sourceparts": "/dev/null",
        "APT::Sandbox::User": "root",
    }
    flags = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    done = subprocess.run(
        [*arguments[:1], *flags, *arguments[1:]], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_apt_trusts_and_sees_what_is_published(
    archives: LocalArchives, mirror: Mirror, uploader: SigningKey, tmp_path: Path
):
    pool = archives.list_pool()[0]
    archives.upload(pool, SourcePackage("tiny", "1.0").upload(tmp_path, uploader))
    wait_until_built(archives, pool)
    archive = archives.apt_archive(pool)
    assert archive.source_line == (
        f"deb http://127.0.0.1:8000/archives/local/ci_pool-001 {mirror.series} main"
    )
    assert archive.directory is not None
    assert archive.key == (archive.directory / "key.gpg").read_bytes()
    url, key, state = (
        f"file:{archive.directory} {mirror.series} main",
        archive.directory / "key.gpg",
        tmp_path,
    )
    apt(url, key, state, "apt-get", "update", "-qq", "-o", "APT::Update::Error-Mode=any")
    assert "Candidate: 1.0" in apt(url, key, state, "apt-cache", "policy", "tiny")


def test_a_failing_build_names_what_failed(archives: LocalArchives, uploader: SigningKey, tmp_path: Path):
    pool = archives.list_pool()[0]
    archives.upload(pool, SourcePackage("broken", "1.0", build="false").upload(tmp_path, uploader))
    [build] = wait_until_built(archives, pool)
    assert build.reason == "broken 1.0 failed to build: dpkg-buildpackage ended with status 2"


def test_nothing_private_is_beside_what_is_served(archives: LocalArchives):
    directory = archives.apt_archive(archives.destination()).directory
    assert directory is not None
    assert {path.name for path in directory.iterdir()} == {"dists", "pool", "key.asc", "key.gpg"}
    state = directory.parent.parent / ".state"
    assert state.stat().st_mode & 0o777 == 0o700


def test_an_interrupted_build_is_built_after_a_restart(
    open_archives: OpenArchives, uploader: SigningKey, tmp_path: Path
):
    first = open_archives()
    pool = first.list_pool()[0]
    flag = "test -e /dev/shm/never || sleep 3"
    first.upload(pool, SourcePackage("tiny", "1.0", build=flag).upload(tmp_path, uploader))
    while first.builds(pool)[0].state is not BuildState.BUILDING:
        time.sleep(0.05)
    first.close()
    second = open_archives()
    [build] = wait_until_built(second, pool)
    assert build.state is BuildState.BUILT
    assert [source.binaries for source in second.sources(pool)] == [["tiny"]]


def test_what_was_built_is_not_built_again(open_archives: OpenArchives, uploader: SigningKey, tmp_path: Path):
    first = open_archives()
    pool = first.list_pool()[0]
    changes = SourcePackage("tiny", "1.0").upload(tmp_path, uploader)
    first.upload(pool, changes)
    built = wait_until_built(first, pool)
    first.close()
    second = open_archives()
    second.upload(pool, changes)
    assert second.builds(pool) == built


def state_of(archives: LocalArchives) -> Path:
    """Where the archives keep what is the engine's own."""
    directory = archives.apt_archive(archives.destination()).directory
    assert directory is not None
    return directory.parent.parent / ".state"


def test_an_archive_becomes_clean_though_the_engine_died_between_a_builds_end_and_its_forgetting(
    archives: LocalArchives,
):
    pool = archives.list_pool()[0]
    ended = BuildRow("id", pool, "tiny", "1.0", "amd64", BuildState.CANCELLED.value)
    ArchiveIndex(state_of(archives) / "index.db").add(pool, [], builds=[ended])
    wait_until_clean(archives, pool)


def test_nothing_is_kept_of_builds_that_are_forgotten(
    archives: LocalArchives, uploader: SigningKey, tmp_path: Path
):
    cleaned, updated = archives.list_pool()[:2]
    archives.upload(cleaned, SourcePackage("tiny", "1.0", build="sleep 60").upload(tmp_path, uploader))
    until(lambda: archives.builds(cleaned)[0].state is BuildState.BUILDING)
    archives.request_cleaning(cleaned)
    wait_until_clean(archives, cleaned)
    for version in ("1.0", "2.0"):
        archives.upload(updated, SourcePackage("other", version).upload(tmp_path, uploader))
        [build] = wait_until_built(archives, updated)
    until(lambda: [path.name for path in (state_of(archives) / "builds").iterdir()] == [build.id])


def test_trouble_of_the_mirror_that_passes_does_not_end_a_build(
    archives: LocalArchives, uploader: SigningKey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    answers = [Unavailable("packages cannot be fetched from the mirror")]
    resolve = Resolver.build_dependencies

    def troubled(resolver: Resolver, dsc: Path) -> InstallPlan:
        if answers:
            raise answers.pop()
        return resolve(resolver, dsc)

    monkeypatch.setattr(Resolver, "build_dependencies", troubled)
    pool = archives.list_pool()[0]
    archives.upload(pool, SourcePackage("tiny", "1.0").upload(tmp_path, uploader))
    assert [build.state for build in wait_until_built(archives, pool)] == [BuildState.BUILT]
    assert not answers


def test_a_hostile_build_cannot_pass_off_other_packages(
    archives: LocalArchives, uploader: SigningKey, tmp_path: Path
):
    pool = archives.list_pool()[0]
    forge = "mkdir -p f/DEBIAN && printf 'Package: bash\\nVersion: 99\\nArchitecture: all\\nMaintainer: x\\n"
    forge += "Description: x\\n' > f/DEBIAN/control && dpkg-deb -b f ../bash_99_all.deb"
    archives.upload(pool, SourcePackage("tiny", "1.0", build=forge).upload(tmp_path, uploader))
    [build] = wait_until_built(archives, pool)
    assert build.state is BuildState.FAILED
    assert "bash_99_all.deb" in build.reason
    assert archives.sources(pool)[0].binaries == []


def test_a_build_has_neither_network_nor_the_hosts_files(
    archives: LocalArchives, uploader: SigningKey, tmp_path: Path
):
    pool = archives.list_pool()[0]
    look = f"test $$(grep -c : /proc/net/dev) = 1 && test ! -e {tmp_path} && test $$(id -u) = 1000"
    archives.upload(pool, SourcePackage("tiny", "1.0", build=look).upload(tmp_path, uploader))
    assert [build.state for build in wait_until_built(archives, pool)] == [BuildState.BUILT]


def test_another_series_is_refused(archives: LocalArchives):
    with pytest.raises(InvalidRequest, match="not for saucy"):
        archives.unknown_binaries(["bash"], series="saucy")


@pytest.mark.slow
def test_hello_is_built(archives: LocalArchives, mirror: Mirror, tmp_path: Path):
    with throw_away_key() as key:
        upload = make_upload("hello", "+test1", mirror=mirror, directory=tmp_path, key=key)
    pool = archives.list_pool()[0]
    archives.upload(pool, upload.changes)
    [record] = wait_until_built(archives, pool)
    assert (record.state, record.reason) == (BuildState.BUILT, "")
    assert "hello" in archives.sources(pool)[0].binaries
