"""Base images are made or added once and found by name."""

from __future__ import annotations

import hashlib
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command

from ci_utils.errors import Conflict, InvalidRequest, NotFound
from image_builder.domain.base_images import BaseImages
from tests.ci_utils.disk_image.disks import LINUX_ROOT, make_disk


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    return make_disk(tmp_path / "cloud.img", [(1, 8, 40, LINUX_ROOT)])


@pytest.fixture
def said() -> list[str]:
    return []


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_an_added_image_is_found_by_its_name(base_images, disk, said):
    image = base_images.add("noble", str(disk), sha256=sha256(disk), report=said.append)
    assert base_images.get("noble") == image
    assert image.properties["origin"] == str(disk)
    assert said == [f"reading {disk}"]


def test_adding_the_same_again_does_nothing(base_images, disk, said):
    first = base_images.add("noble", str(disk), sha256=sha256(disk), report=said.append)
    again = base_images.add("noble", str(disk), sha256=sha256(disk).upper(), report=said.append)
    assert again == first
    assert len(base_images.list()) == 1


def test_another_image_of_the_same_name_is_a_conflict(base_images, disk, said):
    base_images.add("noble", str(disk), sha256=sha256(disk), report=said.append)
    with pytest.raises(Conflict, match="another base image noble"):
        base_images.add("noble", str(disk), sha256="0" * 64, report=said.append)


def test_a_wrong_checksum_adds_nothing(base_images, disk, said):
    with pytest.raises(InvalidRequest, match="SHA-256"):
        base_images.add("noble", str(disk), sha256="0" * 64, report=said.append)
    assert base_images.list() == []


def test_the_one_for_clouds_has_a_name_of_its_own(image_store, mirror, tmp_path):
    here = BaseImages(image_store, mirror, tmp_path / "work")
    for_cloud = BaseImages(image_store, mirror, tmp_path / "work", for_cloud=True)
    assert for_cloud.default_name == f"{here.default_name}-cloud"


def test_an_unknown_name_says_how_to_add_it(base_images):
    with pytest.raises(NotFound, match="there is no base image noble; add it with: uci-engine image base"):
        base_images.get("noble")


def test_an_image_of_a_ticket_is_no_base_image(base_images, image_store, disk):
    image_store.upload("noble", disk, properties={"ticket": "1"})
    with pytest.raises(NotFound):
        base_images.get("noble")


def test_removing_twice_is_harmless(base_images, disk, said):
    base_images.add("noble", str(disk), sha256=sha256(disk), report=said.append)
    base_images.remove("noble")
    base_images.remove("noble")
    assert base_images.list() == []


def test_an_image_in_the_data_store_is_read_once(base_images, data_stores, disk):
    url = data_stores.open("ticket.1", "sources").put_file("cloud.img", disk.read_bytes())
    image = base_images.from_data_store(url, data_stores)
    assert base_images.from_data_store(url, data_stores) == image
    assert image.size == disk.stat().st_size
    assert "/" in image.name  # so no request gets it by its name, which may be easy to guess


def test_no_other_address_is_ever_fetched(base_images, data_stores):
    with pytest.raises(InvalidRequest):
        base_images.from_data_store("http://169.254.169.254/secret", data_stores)


def test_the_command_adds_lists_and_removes(disk, db):
    def image(*arguments: str) -> str:
        output = StringIO()
        call_command("image", "base", *arguments, stdout=output)
        return output.getvalue()

    assert "cloud is ready" in image("add", "cloud", str(disk), "--sha256", sha256(disk))
    assert image("list") == f"cloud\t{disk.stat().st_size >> 20} MiB\t{disk}\n"
    assert image("remove", "cloud") == "cloud is removed\n"
    assert image("list") == ""
