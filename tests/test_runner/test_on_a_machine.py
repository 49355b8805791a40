"""The way through a real boot: packages of an archive, their tests, and what becomes of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from ci_utils.compute.local import LocalCompute
from ci_utils.errors import StageFailed
from ci_utils.image_store.local import LocalImageStore
from tests.ci_utils.disk_image.cached_base import cached_base_image, host_mirror
from tests.small_archive import SmallArchive
from tests.test_runner.sources import make_source
from tests.test_runner.test_in_containers import read_url, result_of
from tests.test_runner.test_subunit_stream import through

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.timeout(1800)]

TESTS = """\
Tests: works
Depends: @, hello

Tests: breaks
Depends:
"""
SCRIPTS = {
    "works": "set -e; dpkg-query --status ci-app; hello; test $(id -un) != root; echo seen",
    "breaks": "echo why; exit 1",
}


def test_tests_of_a_package_run_on_a_booted_image(
    run_tests, sources, data_stores, said, archive_key, tmp_path: Path
):
    mirror = host_mirror()
    archive = SmallArchive(tmp_path / "archive", mirror.series, archive_key)
    archive.add("ci-app", "1.0")
    make_source(sources, "ci-app", TESTS, SCRIPTS)
    images = LocalImageStore(tmp_path / "images", "http://localhost/images")
    image = images.upload("ticket.1", cached_base_image())
    compute = LocalCompute(images, tmp_path / "machines-of-qemu", mirror)
    with pytest.raises(StageFailed) as failure:
        run_tests(
            "ci-app",
            image_id=image.id,
            compute=compute,
            timeout=900,
            archive_list=[archive.apt_archive()],
        )
    assert failure.value.message == (
        "DEP-8 tests failed on the image: ci-app.breaks (non-zero exit status 1)"
    )
    result = result_of(failure)
    tests = result["results"]["sources"]["ci-app"]["tests"]
    assert [(test["name"], test["result"]) for test in tests] == [("works", "passed"), ("breaks", "failed")]
    assert result["results"]["runs_on"] in ("kvm", "tcg")
    shown = through(
        "subunit-1to2", "subunit2pyunit", stream=read_url(data_stores, result["test_result_urls"][0])
    )
    assert b"ci-app.works ... ok" in shown.stderr
    assert b"login:" in read_url(data_stores, result["logs"][-1])
    assert said[-1] == ("testing ci-app: breaks", 2, 2)
