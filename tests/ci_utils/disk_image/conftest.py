"""Images for the tests of disk images."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ci_utils.apt.mirror import Mirror
from ci_utils.compute.port import AptArchive
from ci_utils.disk_image import qcow2
from tests.ci_utils.disk_image.cached_base import cached_base_image, host_mirror


@pytest.fixture(scope="session")
def base_image() -> Path:
    """The base image of this machine's series; not to be written to."""
    return cached_base_image()


@pytest.fixture(scope="session")
def mirror() -> Mirror:
    return host_mirror()


@pytest.fixture
def image(base_image: Path, tmp_path: Path) -> Path:
    """An overlay on the base image in a directory of its own."""
    directory = tmp_path / "image"
    directory.mkdir(mode=0o700)
    qcow2.create_overlay(directory / "image.qcow2", base_image)
    return directory / "image.qcow2"


class SmallArchive:
    """A signed archive in a directory, made of packages that hold nothing but control data."""

    def __init__(self, directory: Path, series: str) -> None:
        self._directory = directory
        self._series = series
        self._home = directory / "gnupg"
        self._home.mkdir(parents=True, mode=0o700)
        self._gpg("--quick-gen-key", "tests@example.com", "ed25519", "sign", "never")

    def add(self, name: str, version: str, *, depends: str = "", postinst: str = "") -> None:
        """Put a package in and publish the archive again."""
        tree = self._directory / "tree" / f"{name}-{version}"
        (tree / "DEBIAN").mkdir(parents=True)
        fields = {
            "Package": name,
            "Version": version,
            "Architecture": "all",
            "Maintainer": "Tests <tests@example.com>",
            "Description": "made for a test",
        }
        fields |= {"Depends": depends} if depends else {}
        control = "".join(f"{field}: {value}\n" for field, value in fields.items())
        (tree / "DEBIAN" / "control").write_text(control)
        if postinst:
            (tree / "DEBIAN" / "postinst").write_text(f"#!/bin/sh\n{postinst}\n")
            (tree / "DEBIAN" / "postinst").chmod(0o755)
        (self._directory / "pool").mkdir(exist_ok=True)
        subprocess.run(["dpkg-deb", "--root-owner-group", "-b", tree, self._directory / "pool"], check=True)
        self._publish()

    def apt_archive(self) -> AptArchive:
        key = self._gpg("--export")
        line = f"deb http://127.0.0.1:9/local {self._series} main"
        return AptArchive(line, key, self._directory)

    def _publish(self) -> None:
        release = self._directory / "dists" / self._series
        packages = release / "main" / "binary-amd64"
        packages.mkdir(parents=True, exist_ok=True)
        scanned = self._run("apt-ftparchive", "packages", "pool")
        (packages / "Packages").write_bytes(scanned)
        series = self._series
        options = {"Codename": series, "Suite": series, "Components": "main", "Architectures": "amd64"}
        arguments = [f"-oAPT::FTPArchive::Release::{key}={value}" for key, value in options.items()]
        (release / "InRelease").unlink(missing_ok=True)
        text = self._run("apt-ftparchive", *arguments, "release", str(release))
        (release / "InRelease").write_bytes(self._gpg("--clearsign", input=text))

    def _gpg(self, *arguments: str, input: bytes = b"") -> bytes:
        base = ["gpg", "--homedir", str(self._home), "--batch", "--passphrase", ""]
        return subprocess.run([*base, *arguments], input=input, capture_output=True, check=True).stdout

    def _run(self, *argv: str) -> bytes:
        return subprocess.run(argv, cwd=self._directory, capture_output=True, check=True).stdout


@pytest.fixture
def archive(tmp_path: Path, mirror: Mirror) -> SmallArchive:
    """An empty signed archive of this machine's series."""
    return SmallArchive(tmp_path / "archive", mirror.series)
