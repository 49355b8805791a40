"""apt's solver for build dependencies, on a made-up dpkg status."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from ci_utils.apt.mirror import Mirror
from ci_utils.apt.resolver import InstallPlan, LocalArchive, Resolver, Unsatisfiable
from ci_utils.errors import ToolFailed, Unavailable
from tests.ci_utils.source_package.uploads import SigningKey
from tests.small_archive import SmallArchive

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]  # the first fetches the lists

DSC = """\
Format: 3.0 (native)
Source: demo
Binary: demo
Architecture: any
Version: 1
Maintainer: Test <test@example.com>
{fields}
Files:
 d41d8cd98f00b204e9800998ecf8427e 0 demo_1.tar.gz
"""


@pytest.fixture
def mirror(mirror: Mirror, tmp_path: Path) -> Mirror:
    """The mirror that all tests share, with packages and prepared lists that are this test's own."""
    own = Mirror(tmp_path / "apt", mirror.series)
    own.configure()
    for path in mirror.lists_dir.iterdir():
        if path.is_file():
            (own.lists_dir / path.name).hardlink_to(path)
    return own


@pytest.fixture
def status(tmp_path: Path) -> Path:
    """A root in which nothing but build-essential is installed."""
    status = tmp_path / "status"
    status.write_text(
        "Package: build-essential\nStatus: install ok installed\nArchitecture: amd64\nVersion: 99\n"
        "Maintainer: Test <test@example.com>\nDescription: stands for the root\n"
    )
    return status


@pytest.fixture
def resolver(mirror: Mirror, status: Path, tmp_path: Path) -> Resolver:
    resolver = Resolver(mirror, tmp_path / "resolver", status)
    resolver.refresh()
    return resolver


def dsc(directory: Path, *fields: str) -> Path:
    path = directory / "demo_1.dsc"
    path.write_text(DSC.format(fields="\n".join(fields)))
    return path


def test_dependencies_of_every_kind_are_resolved(resolver: Resolver, tmp_path: Path):
    plan = resolver.build_dependencies(
        dsc(
            tmp_path,
            "Build-Depends: sensible-utils",
            "Build-Depends-Indep: netbase",
            "Build-Depends-Arch: media-types",
        )
    )
    names = {package.filename.split("_")[0] for package in plan.packages}
    assert {"sensible-utils", "netbase", "media-types"} <= names
    assert all(package.digest.startswith("SHA256:") for package in plan.packages)


def test_the_same_set_has_the_same_key(resolver: Resolver, tmp_path: Path):
    one = resolver.build_dependencies(dsc(tmp_path, "Build-Depends: netbase, sensible-utils"))
    two = resolver.build_dependencies(dsc(tmp_path, "Build-Depends: sensible-utils, netbase (>= 1)"))
    three = resolver.build_dependencies(dsc(tmp_path, "Build-Depends: netbase"))
    assert one.key == two.key
    assert one.key != three.key


def test_what_cannot_be_had_is_named(resolver: Resolver, tmp_path: Path):
    with pytest.raises(Unsatisfiable) as caught:
        resolver.build_dependencies(dsc(tmp_path, "Build-Depends: libnonesuch-dev (>= 2), netbase"))
    assert caught.value.what == "libnonesuch-dev (>= 2)"


def test_a_conflict_with_the_root_is_named(resolver: Resolver, tmp_path: Path):
    with pytest.raises(Unsatisfiable) as caught:
        resolver.build_dependencies(dsc(tmp_path, "Build-Conflicts: build-essential"))
    assert caught.value.what == "build-essential"


def test_packages_are_fetched_and_kept_for_others(resolver: Resolver, mirror: Mirror, tmp_path: Path):
    source = dsc(tmp_path, "Build-Depends: sensible-utils")
    plan = resolver.build_dependencies(source)
    debs = resolver.fetch(plan)
    assert [deb.name for deb in debs] == [package.filename for package in plan.packages]
    assert all((mirror.debs_dir / deb.name).is_file() for deb in debs)


def test_a_plan_that_the_mirror_has_left_behind_can_be_made_again(resolver: Resolver, tmp_path: Path):
    source = dsc(tmp_path, "Build-Depends: sensible-utils")
    [package] = resolver.build_dependencies(source).packages
    gone = replace(package, uri=package.uri.replace("sensible-utils_", "sensible-utils_0really"))
    with pytest.raises(Unavailable, match="cannot be fetched from the mirror") as caught:
        resolver.fetch(InstallPlan([replace(gone, filename="sensible-utils_0really.deb")]))
    assert caught.value.retryable


def test_a_kept_package_that_is_damaged_is_fetched_again(resolver: Resolver, mirror: Mirror, tmp_path: Path):
    plan = resolver.build_dependencies(dsc(tmp_path, "Build-Depends: sensible-utils"))
    [deb] = resolver.fetch(plan)
    whole, kept = deb.read_bytes(), mirror.debs_dir / deb.name
    kept.unlink()
    kept.write_bytes(bytes(len(whole)))  # as after a loss of power
    [deb] = resolver.fetch(plan)
    assert deb.read_bytes() == whole
    assert kept.read_bytes() == whole


@pytest.fixture
def small_archive(mirror: Mirror, archive_key: SigningKey, tmp_path: Path) -> Callable[[str], SmallArchive]:
    return lambda name: SmallArchive(tmp_path / name, mirror.series, archive_key)


@pytest.fixture
def beside(mirror: Mirror, status: Path, tmp_path: Path) -> Callable[[SmallArchive], Resolver]:
    """Makes resolvers with one archive in a directory beside the mirror."""

    def make(archive: SmallArchive) -> Resolver:
        found = archive.apt_archive()
        assert found.directory is not None
        (tmp_path / "key.gpg").write_bytes(found.key)
        archives = [LocalArchive("small", found.directory, tmp_path / "key.gpg")]
        resolver = Resolver(mirror, tmp_path / "beside", status, archives)
        resolver.refresh()
        return resolver

    return make


def test_packages_of_an_archive_in_a_directory_are_found_beside_those_of_the_mirror(
    small_archive, beside, mirror: Mirror, tmp_path: Path
):
    archive = small_archive("a place +~%")
    archive.add("sensible-utils", "9999", depends="netbase")
    resolver = beside(archive)
    plan = resolver.build_dependencies(dsc(tmp_path, "Build-Depends: sensible-utils"))
    debs = {deb.name: deb for deb in resolver.fetch(plan)}
    assert "sensible-utils_9999_all.deb" in debs
    assert any(name.startswith("netbase_") for name in debs)
    assert not (mirror.debs_dir / "sensible-utils_9999_all.deb").exists()
    # What joins the archive later is seen after the next refresh.
    archive.add("sensible-utils", "10000")
    resolver.refresh()
    plan = resolver.build_dependencies(dsc(tmp_path, "Build-Depends: sensible-utils"))
    assert "sensible-utils_10000_all.deb" in {deb.name for deb in resolver.fetch(plan)}


def test_of_one_version_in_both_that_of_the_archive_is_taken(
    small_archive, beside, mirror: Mirror, tmp_path: Path
):
    rebuilt = {"sensible-utils", "netbase", "vim-common"}  # the last one has an epoch
    archive = small_archive("small")
    for name in rebuilt:
        archive.add(name, version_in(mirror, name))
    resolver = beside(archive)
    source = dsc(tmp_path, f"Build-Depends: {', '.join(sorted(rebuilt))}, media-types, ucf")
    plan = resolver.build_dependencies(source)
    local = {p.filename.partition("_")[0] for p in plan.packages if p.uri.startswith("copy:")}
    assert local == rebuilt
    assert {"media-types", "ucf"} <= {p.filename.partition("_")[0] for p in plan.packages} - local
    assert resolver.build_dependencies(source) == plan


def version_in(mirror: Mirror, name: str) -> str:
    shown = mirror.apt_cache("show", "--no-all-versions", name).splitlines()
    return next(line.split()[1] for line in shown if line.startswith("Version: "))


def test_an_archive_in_a_directory_without_packages_does_no_harm(small_archive, beside, tmp_path: Path):
    archive = small_archive("small")
    archive.add("sensible-utils", "9999")
    shutil.rmtree(tmp_path / "small" / "pool")
    (tmp_path / "small" / "pool").mkdir()
    archive.publish()
    plan = beside(archive).build_dependencies(dsc(tmp_path, "Build-Depends: sensible-utils"))
    assert "sensible-utils_9999_all.deb" not in {package.filename for package in plan.packages}


def test_an_archive_in_a_directory_is_read_only_if_its_key_signed_it(small_archive, beside, tmp_path: Path):
    archive = small_archive("small")
    archive.add("sensible-utils", "9999")
    [release] = (tmp_path / "small").glob("dists/*/InRelease")
    release.write_text(release.read_text().replace("Codename", "X-Codename"))
    with pytest.raises(ToolFailed):
        beside(archive)


def test_what_apt_prepared_of_the_mirror_serves_with_archives_in_directories_too(
    resolver: Resolver, small_archive, beside, mirror: Mirror, tmp_path: Path
):
    source = dsc(tmp_path, "Build-Depends: sensible-utils")
    resolver.build_dependencies(source)
    prepared = (mirror.directory / "srcpkgcache.bin").stat()
    assert prepared.st_size > 0
    archive = small_archive("small")
    archive.add("sensible-utils", "9999")
    beside(archive).build_dependencies(source)
    now = (mirror.directory / "srcpkgcache.bin").stat()
    assert (now.st_ino, now.st_mtime_ns) == (prepared.st_ino, prepared.st_mtime_ns)


def test_a_full_disk_is_no_package_that_is_missing(
    resolver: Resolver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    full = tmp_path / "bin" / "apt-get"
    full.parent.mkdir()
    full.write_text("#!/bin/sh\necho 'E: Write error - write (28: No space left on device)' >&2\nexit 100\n")
    full.chmod(0o755)
    monkeypatch.setenv("PATH", f"{full.parent}:{os.environ['PATH']}")
    with pytest.raises(ToolFailed, match="is full"):
        resolver.build_dependencies(dsc(tmp_path, "Build-Depends: sensible-utils"))
