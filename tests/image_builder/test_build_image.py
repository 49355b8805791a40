"""A ticket's image is built on a real base image with apt's own tools."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ci_utils.disk_image.customise import read_file
from ci_utils.disk_image.manifest import read_manifest
from ci_utils.errors import Cancelled, StageFailed
from image_builder.domain.build_image import build_image
from tests.ci_utils.disk_image.cached_base import cached_base_image
from tests.small_archive import SmallArchive

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.timeout(1800)]

BASE = "the-base"


@pytest.fixture
def archive(tmp_path: Path, mirror, archive_key) -> SmallArchive:
    archive = SmallArchive(tmp_path / "archive", mirror.series, archive_key)
    archive.add("less", "9999.1")
    archive.add("ci-app", "1.0", depends="hello")
    return archive


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def build(archive, base_images, data_stores, image_store, mirror, said, tmp_path):
    """Builds an image of ticket 1 with one archive."""
    image_store.upload(BASE, cached_base_image(), properties={"kind": "base"})
    archives: Any = SimpleNamespace(apt_archive=lambda _: archive.apt_archive())

    def run(**changes: Any) -> Any:
        request: dict[str, Any] = {
            "ticket_id": "1",
            "trigger": "lander-1-image",
            "base": BASE,
            "series": mirror.series,
            "archive_list": ["ppa:local/ci_pool-001"],
            "add": [],
            "remove": [],
            "lasting_archive": None,
            "private": False,
            "cancelled": lambda: False,
        }
        return build_image(
            **{**request, **changes},
            base_images=base_images,
            archives=archives,
            image_store=image_store,
            data_stores=data_stores,
            mirror=mirror,
            work_dir=tmp_path / "work",
            timeout=900,
            report=lambda message, current=None, total=None: said.append(message),
        )

    return run


def result_of(failure: pytest.ExceptionInfo[StageFailed]) -> Any:
    return failure.value.result


def read_url(data_stores, url: str) -> str:
    container, name = data_stores.locate(url)
    return str(container.get_file(name).decode())


def test_an_image_has_what_was_asked_for_and_says_how_it_differs(
    build, image_store, data_stores, said, tmp_path
):
    result = build(add=["ci-app"], remove=["iputils-ping"], lasting_archive="ppa:local/archive")
    image = image_store.get(result["image_id"])
    path = image_store.fetch(image.id, tmp_path)
    manifest = read_manifest(path)
    assert (manifest["ci-app"], manifest["less"]) == ("1.0", "9999.1")
    assert "iputils-ping" not in manifest
    assert read_url(data_stores, result["manifest"]).splitlines()[0].count("\t") == 1
    difference = read_url(data_stores, result["manifest_diff"]).splitlines()
    assert [line.split()[:2] for line in difference] == [
        ["+", "ci-app"],
        ["+", "hello"],
        ["-", "iputils-ping"],
        ["~", "less"],
    ]
    assert "Setting up ci-app" in read_url(data_stores, result["logs"][0])
    assert (image.name, image.properties["base"]) == ("ticket.1", BASE)
    assert result["url_list"] == [image_store.url(image.id)]
    assert result["size"] == image.size
    assert b"127.0.0.1:9/local" in read_file(path, "/etc/apt/sources.list.d/uci-engine.list")
    assert said[-1] == "storing the image"
    assert not (tmp_path / "work" / "lander-1-image").exists()
    # After a crash the same request finds its image and makes no second one.
    assert build(add=["ci-app"])["image_id"] == image.id
    assert [i.name for i in image_store.list()] == [BASE, "ticket.1"]


def test_a_package_that_cannot_be_installed_is_named_and_the_log_is_kept(build, image_store, data_stores):
    with pytest.raises(StageFailed, match=r"^ci-nothing cannot be installed in the image") as failure:
        build(add=["ci-nothing"])
    assert len(result_of(failure)["logs"]) == 1
    assert image_store.find("ticket.1") is None


def test_a_failing_maintainer_script_is_shown_by_the_log(build, archive, data_stores):
    archive.add("ci-bad", "1.0", postinst="echo this goes wrong; exit 3")
    with pytest.raises(StageFailed, match=r"^ci-bad cannot be installed in the image") as failure:
        build(add=["ci-bad"])
    assert "this goes wrong" in read_url(data_stores, result_of(failure)["logs"][0])


def test_an_unknown_base_image_is_named(build):
    with pytest.raises(StageFailed, match="there is no base image floppy"):
        build(base="floppy")


def test_another_series_is_refused(build, mirror):
    with pytest.raises(StageFailed, match=f"makes images of {mirror.series}, not of warty"):
        build(series="warty")


def test_a_cancelled_build_leaves_nothing(build, image_store, tmp_path):
    with pytest.raises(Cancelled):
        build(add=["ci-app"], cancelled=lambda: True)
    assert image_store.find("ticket.1") is None
    assert not (tmp_path / "work" / "lander-1-image").exists()


def test_files_of_a_private_ticket_are_private(build, image_store, data_stores):
    result = build(private=True)
    assert not image_store.get(result["image_id"]).public
    container, name = data_stores.locate(result["manifest"])
    assert name in container.list_files()
