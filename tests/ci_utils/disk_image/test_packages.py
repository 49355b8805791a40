"""apt's solver for an image, on the mirror and a ticket's archive."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from ci_utils.apt.mirror import Mirror
from ci_utils.disk_image.packages import image_resolver
from tests.small_archive import SmallArchive

pytestmark = [pytest.mark.system]


def test_a_repository_describes_the_files_that_it_has_even_of_versions_that_the_mirror_has_too(
    archive: SmallArchive, mirror: Mirror, tmp_path: Path
):
    mirror.refresh()
    shown = mirror.apt_cache("show", "--no-all-versions", "sensible-utils").splitlines()
    archive.add("sensible-utils", next(line.split()[1] for line in shown if line.startswith("Version: ")))
    with image_resolver(mirror, status=b"", archives=[archive.apt_archive()]) as apt:
        apt.write_repository(tmp_path / "repository", apt.install(["sensible-utils"]).install)
    [deb] = (tmp_path / "repository").glob("*.deb")
    assert deb.stat().st_size < 2000  # the archive's, which holds nothing
    described = (tmp_path / "repository" / "Packages").read_text()
    assert hashlib.sha256(deb.read_bytes()).hexdigest() in described
