"""The local image store."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ci_utils.disk_image import qcow2
from ci_utils.errors import InvalidRequest
from ci_utils.image_store.local import LocalImageStore
from tests.ci_utils.image_store.contract import ImageStoreContract, make_image


@pytest.fixture
def store(tmp_path: Path) -> LocalImageStore:
    return LocalImageStore(tmp_path / "images", "http://127.0.0.1:8000/images")


class TestLocalImageStore(ImageStoreContract):
    """The contract, on a directory."""


@pytest.fixture
def base(store, tmp_path):
    return store.upload("base", make_image(tmp_path / "disk.qcow2", b"base"))


def overlay_on(store, image, path: Path) -> Path:
    qcow2.create_overlay(path, store.fetch(image.id, path.parent))
    return path


def test_overlays_move_with_the_store(store, base, tmp_path):
    image = store.upload("ticket.1", overlay_on(store, base, tmp_path / "overlay.qcow2"))
    (tmp_path / "images").rename(tmp_path / "moved")
    moved = LocalImageStore(tmp_path / "moved", "http://127.0.0.1:8000/images")
    assert qcow2.chain(moved.fetch(image.id, tmp_path))[1].samefile(moved.fetch(base.id, tmp_path))


def test_the_file_for_people_is_made_once(store, base, tmp_path):
    image = store.upload("ticket.1", overlay_on(store, base, tmp_path / "overlay.qcow2"))
    first = store.standalone_file(image.id)
    made = first.stat().st_mtime_ns
    assert store.standalone_file(image.id) == first
    assert first.stat().st_mtime_ns == made
    assert qcow2.chain(first) == [first]


def test_an_image_that_stands_alone_is_handed_out_as_it_is(store, base, tmp_path):
    assert store.standalone_file(base.id) == store.fetch(base.id, tmp_path)


def test_an_overlay_on_another_file_of_this_host_is_refused(store, tmp_path):
    outside = make_image(tmp_path / "outside.qcow2", b"secret")
    qcow2.create_overlay(tmp_path / "overlay.qcow2", outside)
    with pytest.raises(InvalidRequest, match="not in the image store"):
        store.upload("ticket.1", tmp_path / "overlay.qcow2")


def test_stored_images_cannot_be_written_by_mistake(store, base, tmp_path):
    path = store.fetch(base.id, tmp_path)
    assert path.stat().st_mode & 0o222 == 0
    assert (tmp_path / "images").stat().st_mode & 0o007 <= 0o001


def test_what_a_killed_process_left_half_stored_is_removed(store, base, tmp_path):
    half = tmp_path / "images" / ".new-abc"
    half.mkdir()
    (half / "disk.qcow2").write_bytes(b"half")
    again = LocalImageStore(tmp_path / "images", "http://127.0.0.1:8000/images")
    assert not half.exists()
    assert [image.name for image in again.list()] == ["base"]


def test_a_stored_image_is_whole(store, base, tmp_path):
    check = ["qemu-img", "check", "-q", store.fetch(base.id, tmp_path)]
    assert subprocess.run(check, check=False).returncode == 0
