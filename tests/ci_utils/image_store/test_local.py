"""The local image store."""

from __future__ import annotations

import hashlib
import subprocess
import tempfile
import threading
from pathlib import Path

import pytest

from ci_utils.disk_image import qcow2
from ci_utils.errors import Conflict
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


def test_the_checksum_of_the_file_for_people_is_that_of_its_contents(store, base, tmp_path):
    image = store.upload("ticket.1", overlay_on(store, base, tmp_path / "overlay.qcow2"))
    for image_id in (image.id, base.id, image.id):
        content = store.standalone_file(image_id).read_bytes()
        assert store.standalone_checksum(image_id) == hashlib.sha256(content).hexdigest()


def test_an_image_that_stands_alone_is_handed_out_as_it_is(store, base, tmp_path):
    assert store.standalone_file(base.id) == store.fetch(base.id, tmp_path)


def test_an_image_that_others_are_built_on_cannot_be_deleted(store, base, tmp_path):
    child = store.upload("ticket.1", overlay_on(store, base, tmp_path / "overlay.qcow2"))
    with pytest.raises(Conflict, match=r"ticket\.1"):
        store.delete(base.id)
    store.delete(child.id)
    store.delete(base.id)
    assert store.list() == []


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


def test_an_image_is_stored_while_another_process_begins_to_use_the_store(store, tmp_path, monkeypatch):
    beginning = threading.Thread(target=LocalImageStore, args=(tmp_path / "images", "http://127.0.0.1:8000"))
    make = tempfile.mkdtemp

    def make_while_another_begins(**options):
        made = make(**options)
        beginning.start()
        beginning.join(0.5)
        return made

    monkeypatch.setattr(tempfile, "mkdtemp", make_while_another_begins)
    image = store.upload("base", make_image(tmp_path / "disk.qcow2", b"base"))
    beginning.join()
    assert store.list() == [image]


def test_a_stored_image_is_whole(store, base, tmp_path):
    check = ["qemu-img", "check", "-q", store.fetch(base.id, tmp_path)]
    assert subprocess.run(check, check=False).returncode == 0
