"""A package that tries everything to get out of its build, and of the image that it is installed in."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ci_utils.archive.port import BuildState
from ci_utils.disk_image.install import install
from tests.isolation.conftest import Builder
from tests.isolation.host import (
    ALLOWED_OUTSIDE,
    ATTEMPTS,
    OF_A_BUILD,
    OF_AN_IMAGE,
    Target,
    outcomes,
    target,
)
from tests.source_packages import SourcePackage

pytestmark = [pytest.mark.system, pytest.mark.timeout(900)]


def test_the_probe_gets_through_where_nothing_is_in_its_way():
    reads_messages = subprocess.run(["dmesg"], capture_output=True, check=False).returncode == 0
    attempts = (*ALLOWED_OUTSIDE, *(["kernel_messages"] if reads_messages else []))
    with target() as host:
        done = subprocess.run(["sh", "-c", host.probe(attempts)], capture_output=True, text=True, check=True)
        (host.data / "written").unlink()
    found = outcomes(done.stdout)
    assert sorted(found) == sorted(attempts)
    assert [name for name, outcome in found.items() if not outcome.startswith("OUT")] == []


def test_a_build_reaches_nothing_of_the_host(builder: Builder, host: Target, tmp_path: Path):
    attempts = (*ATTEMPTS, *OF_A_BUILD)
    package = SourcePackage("hostile", tests={"probe": host.probe(attempts)}, build="debian/tests/probe")
    build, log = builder.build(package, tmp_path)
    assert build.state is BuildState.BUILT, log[-3000:]
    assert outcomes(log) == dict.fromkeys(attempts, "refused")


@pytest.mark.slow
def test_a_maintainer_script_reaches_nothing_of_the_host(
    small_archive, image: Path, mirror, host: Target, tmp_path: Path
):
    attempts = (*ATTEMPTS, *OF_AN_IMAGE)
    small_archive.add("hostile", "1.0", postinst=host.probe(attempts))
    with (tmp_path / "log").open("w+b") as log:
        install(image, mirror, archives=[small_archive.apt_archive()], add=["hostile"], log=log, timeout=600)
    assert outcomes((tmp_path / "log").read_text()) == dict.fromkeys(attempts, "refused")
