"""A signed archive of little packages, as apt reads it from a directory."""

from __future__ import annotations

import subprocess
from pathlib import Path

from ci_utils.compute.port import AptArchive
from tests.ci_utils.source_package.uploads import SigningKey


class SmallArchive:
    """A signed archive in a directory, made of packages that hold nothing but control data."""

    def __init__(self, directory: Path, series: str, key: SigningKey) -> None:
        self._directory = directory
        self._series = series
        self._key = key

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
        self.publish()

    def apt_archive(self) -> AptArchive:
        line = f"deb http://127.0.0.1:9/local {self._series} main"
        return AptArchive(line, self._key.public(), self._directory)

    def publish(self) -> None:
        """Write the lists of what is in the pool."""
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
        (release / "InRelease").write_bytes(self._key.clearsign(text))

    def _run(self, *argv: str) -> bytes:
        return subprocess.run(argv, cwd=self._directory, capture_output=True, check=True).stdout
