"""Packages of an image are changed as apt would, and nothing is left behind."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ci_utils.disk_image import layout
from ci_utils.disk_image.customise import read_file
from ci_utils.disk_image.install import install
from ci_utils.disk_image.manifest import difference, read_manifest
from ci_utils.errors import InvalidRequest, NotFound, StageFailed
from tests.ci_utils.disk_image.disks import check_file_system

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.fixture
def change(image: Path, mirror, tmp_path: Path):
    """Changes the packages of `image`; the log is `tmp_path/log`."""

    def run(**options) -> None:
        with (tmp_path / "log").open("w+b") as log:
            install(image, mirror, log=log, timeout=900, **options)

    return run


def changes(base_image: Path, image: Path):
    return difference(read_manifest(base_image), read_manifest(image))


def test_a_package_of_an_archive_is_installed_with_what_it_needs(change, archive, base_image, image):
    archive.add("ci-lib", "1.0")
    archive.add("ci-app", "1.0", depends="ci-lib, hello")
    change(archives=[archive.apt_archive()], add=["ci-app"])
    found = changes(base_image, image)
    assert sorted(found.added) == ["ci-app", "ci-lib", "hello"]
    assert (found.removed, found.changed) == ({}, {})
    automatic = read_file(image, "/var/lib/apt/extended_states").decode()
    assert "Package: ci-lib" in automatic
    assert "Package: ci-app" not in automatic


def test_an_installed_package_is_upgraded_and_another_removed(change, archive, base_image, image):
    archive.add("less", "9999.1")
    archive.add("not-asked-for", "1")
    change(archives=[archive.apt_archive()], remove=["iputils-ping"])
    found = changes(base_image, image)
    assert found.changed["less"][1] == "9999.1"
    assert found.added == {}
    assert "iputils-ping" in found.removed


def test_an_upgrade_that_is_not_wanted_is_left(change, archive, base_image, image):
    archive.add("less", "9999.1")
    change(archives=[archive.apt_archive()], upgrade_installed=False, add=["hello"])
    assert sorted(changes(base_image, image).added) == ["hello"]
    assert changes(base_image, image).changed == {}


def test_only_the_lasting_source_stays_behind(change, archive, image):
    archive.add("ci-app", "1.0")
    change(archives=[archive.apt_archive()], add=["ci-app"], lasting_source=archive.apt_archive())
    entry = read_file(image, "/etc/apt/sources.list.d/uci-engine.list").decode()
    assert entry.startswith("deb [signed-by=/etc/apt/keyrings/uci-engine.gpg] http://127.0.0.1:9/local ")
    assert read_file(image, "/etc/apt/keyrings/uci-engine.gpg") == archive.apt_archive().key
    for leftover in ("/run/uci-engine", "/usr/sbin/policy-rc.d", "/var/cache/apt/pkgcache.bin"):
        with pytest.raises(NotFound):
            read_file(image, leftover)
    check_file_system(image, layout.root_partition(image).offset)


def test_a_package_that_does_not_exist_is_named(change):
    with pytest.raises(StageFailed, match=r"^ci-nothing cannot be installed in the image: .*ci-nothing"):
        change(add=["ci-nothing"])


def test_a_dependency_that_does_not_exist_is_named(change, archive):
    archive.add("ci-app", "1.0", depends="ci-nothing (>= 2)")
    with pytest.raises(StageFailed, match=r"^ci-app cannot be installed in the image: .*ci-nothing"):
        change(archives=[archive.apt_archive()], add=["ci-app"])


def test_a_maintainer_script_that_fails_is_named(change, archive, image):
    archive.add("ci-app", "1.0", postinst="echo broken on purpose; exit 3")
    with pytest.raises(StageFailed, match=r"^ci-app cannot be installed in the image: .*post-installation"):
        change(archives=[archive.apt_archive()], add=["ci-app"])


def test_a_name_with_an_option_in_it_is_refused(change):
    with pytest.raises(InvalidRequest, match="not a package name"):
        change(add=["-oAPT::Update::Pre-Invoke::=true"])


def test_a_package_that_is_not_signed_is_not_installed(change, archive):
    archive.add("ci-app", "1.0")
    apt_archive = archive.apt_archive()
    release = next(apt_archive.directory.rglob("InRelease"))
    release.write_text(release.read_text().replace("Codename", "Codenane"))
    with pytest.raises(Exception, match="cannot be read"):
        change(archives=[apt_archive], add=["ci-app"])


def test_the_base_image_has_no_keys_no_password_and_no_machine_id(base_image):
    shadow = read_file(base_image, "/etc/shadow").decode()
    assert shadow.startswith(("root:*:", "root:!"))
    assert read_file(base_image, "/etc/machine-id") == b""
    for kind in ("rsa", "ecdsa", "ed25519"):
        with pytest.raises(NotFound):
            read_file(base_image, f"/etc/ssh/ssh_host_{kind}_key")
    assert b"URIs:" in read_file(base_image, "/etc/apt/sources.list.d/mirror.sources")


def test_the_base_image_does_not_hide_missing_test_dependencies(base_image):
    assert not {"dpkg-dev", "build-essential", "python3"} & read_manifest(base_image).keys()


def test_the_base_image_starts_in_bios_and_in_uefi(base_image):
    partitions = {p.number: p.type for p in layout.partitions(base_image)}
    assert partitions == {1: layout.LINUX_ROOT_X86_64, 14: layout.BIOS_BOOT, 15: layout.EFI_SYSTEM}
    info = subprocess.run(["qemu-img", "check", base_image], capture_output=True, check=True, text=True)
    assert "No errors" in info.stdout
