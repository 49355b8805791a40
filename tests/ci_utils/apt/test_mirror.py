"""The engine's own apt against the mirror that this machine uses."""

from __future__ import annotations

import re
import shutil
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ci_utils.apt.mirror import Mirror, architecture, replace_text
from ci_utils.errors import InvalidRequest, NotFound, Unavailable

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]


def test_unknown_binary_packages_are_named(mirror: Mirror):
    assert mirror.knows_binaries(["bash", "hello", "no-such-package", "debhelper"]) == {"no-such-package"}


def test_a_virtual_package_is_not_a_package(mirror: Mirror):
    assert mirror.knows_binaries(["mail-transport-agent"]) == {"mail-transport-agent"}


@pytest.mark.parametrize("name", ["foo:amd64", "foo=1.0", "-o", "", "Foo", "foo bar", "../foo"])
def test_what_is_no_plain_name_is_refused(mirror: Mirror, name: str):
    with pytest.raises(InvalidRequest, match="is not a package name"):
        mirror.knows_binaries([name])


def test_a_source_is_fetched_with_all_its_files(mirror: Mirror, tmp_path: Path):
    dsc = mirror.fetch_source("hello", tmp_path)
    assert dsc.parent == tmp_path
    assert dsc.name.startswith("hello_")
    assert len(list(tmp_path.glob("hello_*.tar.*"))) >= 2


def test_a_source_that_is_not_there_is_not_found(mirror: Mirror, tmp_path: Path):
    with pytest.raises(NotFound, match="has no source package no-such-source"):
        mirror.fetch_source("no-such-source", tmp_path)


def test_a_dead_mirror_is_reported(tmp_path: Path):
    dead = Mirror(tmp_path, "bookworm", "http://127.0.0.1:9/debian")
    with pytest.raises(Unavailable, match="package lists of bookworm cannot be fetched"):
        dead.refresh()


def test_a_mirror_that_is_too_slow_is_reported_like_a_dead_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("ci_utils.apt.mirror.DOWNLOAD_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        slow = Mirror(tmp_path, "bookworm", f"http://127.0.0.1:{silent.getsockname()[1]}/debian")
        with pytest.raises(Unavailable, match="package lists of bookworm cannot be fetched"):
            slow.refresh()


def test_packages_that_the_mirror_has_no_more_are_not_kept(mirror: Mirror, tmp_path: Path):
    own = Mirror(tmp_path, mirror.series)
    own.configure()
    for found in mirror.lists_dir.iterdir():
        if found.is_file():
            shutil.copyfile(found, own.lists_dir / found.name)
    version = re.findall(r"Candidate: (\S+)", own.apt_cache("policy", "hello"))[0]
    for kept in ("0.1", version):
        (own.debs_dir / f"hello_{kept}_{architecture()}.deb").touch()
    own.refresh()
    assert [deb.name for deb in own.debs_dir.glob("*.deb")] == [f"hello_{version}_{architecture()}.deb"]


def test_lists_are_fetched_once_by_many(mirror: Mirror, tmp_path: Path):
    own = Mirror(tmp_path, mirror.series)  # that of all tests may be refreshed by others meanwhile
    own.configure()
    stamp = own.directory / "refreshed"
    stamp.touch()
    before = stamp.stat().st_mtime_ns
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: own.refresh(24 * 3600), range(4)))
    assert stamp.stat().st_mtime_ns == before


def test_a_file_that_another_thread_writes_too_is_one_of_the_two(tmp_path: Path, monkeypatch):
    path, write = tmp_path / "apt.conf", Path.write_text

    def write_and_let_another(fresh: Path, text: str) -> int:
        monkeypatch.undo()
        written = write(fresh, text)
        with ThreadPoolExecutor(1) as other:
            other.submit(replace_text, path, "other").result()
        return written

    monkeypatch.setattr(Path, "write_text", write_and_let_another)
    replace_text(path, "own")
    assert path.read_text() == "own"
    assert list(tmp_path.iterdir()) == [path]


def test_the_hosts_configuration_has_no_part_in_it(mirror: Mirror):
    assert "/etc/apt/sources.list" not in mirror.apt_cache("policy", "bash")
    assert mirror.lists_dir.is_relative_to(mirror.directory)
