"""Maintainer scripts that take all they can get: the image fails with the reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from ci_utils.disk_image.install import install
from ci_utils.errors import StageFailed
from ci_utils.sandbox.limits import Limits
from tests.ci_utils.disk_image.test_customise import helpers_of

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("perl -e 'fork while 1'", "it started more than 300 processes"),
        ("perl -e 'push @k, \"x\" x 10_000_000 while 1'", "it used more than 1 GiB of memory"),
    ],
)
def test_a_greedy_script_fails_the_image_with_the_reason(
    small_archive, image: Path, mirror, script: str, reason: str, tmp_path: Path
):
    small_archive.add("greedy", "1.0", postinst=script)
    with (tmp_path / "log").open("w+b") as log, pytest.raises(StageFailed) as caught:
        install(
            image,
            mirror,
            archives=[small_archive.apt_archive()],
            add=["greedy"],
            limits=Limits(memory=1 << 30, processes=300),
            log=log,
            timeout=600,
        )
    assert caught.value.message == f"installing the packages in the image was ended: {reason}"
    assert not image.exists()
    assert not helpers_of(image)
