"""What every image store must do; each adapter's test class inherits `ImageStoreContract`."""

from __future__ import annotations

import contextlib
import hashlib
import os
import subprocess
from pathlib import Path

import pytest

from ci_utils.disk_image import qcow2
from ci_utils.errors import Conflict, InvalidRequest, NotFound
from ci_utils.image_store.port import ImageStore

MIB = 1024 * 1024


class ImageStoreContract:
    """The fixture `store` of the inheriting class gives an empty `ImageStore`."""

    @pytest.fixture
    def disk(self, tmp_path: Path) -> Path:
        """A qcow2 file with something in it."""
        return make_image(tmp_path / "disk.qcow2", b"base")

    def test_a_new_store_is_empty(self, store: ImageStore):
        assert store.list() == []
        assert store.find("base") is None

    def test_an_image_is_found_by_id_and_name(self, store, disk):
        image = store.upload("base", disk, properties={"kind": "base"}, public=True)
        assert store.get(image.id) == image
        assert store.find("base") == image
        assert (image.name, image.public, dict(image.properties)) == ("base", True, {"kind": "base"})

    def test_an_image_is_private_unless_said_otherwise(self, store, disk):
        assert not store.upload("base", disk).public

    def test_size_and_checksum_are_those_of_the_file(self, store, disk):
        image = store.upload("base", disk)
        assert image.size == disk.stat().st_size
        assert image.checksum == hashlib.sha256(disk.read_bytes()).hexdigest()

    def test_images_are_listed_oldest_first_and_the_newest_of_a_name_is_found(self, store, disk):
        images = [store.upload(name, disk) for name in ("b", "a", "b")]
        assert store.list() == images
        assert store.find("b") == images[2]

    def test_the_callers_file_stays_the_callers(self, store, disk, tmp_path):
        image = store.upload("base", disk)
        disk.write_bytes(b"other")
        assert content(store.fetch(image.id, tmp_path), tmp_path).startswith(b"base")

    def test_a_fetched_image_can_be_the_base_of_another(self, store, disk, tmp_path):
        base = store.upload("base", disk)
        overlay = tmp_path / "overlay.qcow2"
        qcow2.create_overlay(overlay, store.fetch(base.id, tmp_path))
        write(overlay, MIB, b"mine")
        image = store.upload("ticket.1", overlay)
        seen = content(store.fetch(image.id, tmp_path), tmp_path)
        assert (seen[:4], seen[MIB : MIB + 4]) == (b"base", b"mine")

    def test_a_download_is_one_file_that_stands_alone(self, store, disk, tmp_path):
        base = store.upload("base", disk)
        overlay = tmp_path / "overlay.qcow2"
        qcow2.create_overlay(overlay, store.fetch(base.id, tmp_path))
        write(overlay, MIB, b"mine")
        image = store.upload("ticket.1", overlay)
        store.download(image.id, tmp_path / "download.qcow2")
        assert qcow2.chain(tmp_path / "download.qcow2") == [tmp_path / "download.qcow2"]
        seen = content(tmp_path / "download.qcow2", tmp_path)
        assert (seen[:4], seen[MIB : MIB + 4]) == (b"base", b"mine")

    def test_a_deleted_image_is_gone(self, store, disk, tmp_path):
        image = store.upload("base", disk)
        store.delete(image.id)
        assert store.list() == []
        for use in (store.get, store.delete, store.url, store.open_file):
            with pytest.raises(NotFound):
                use(image.id)
        with pytest.raises(NotFound):
            store.fetch(image.id, tmp_path)

    def test_an_image_never_loses_what_it_is_built_on(self, store, disk, tmp_path):
        base = store.upload("base", disk)
        overlay = tmp_path / "overlay.qcow2"
        qcow2.create_overlay(overlay, store.fetch(base.id, tmp_path))
        child = store.upload("ticket.1", overlay)
        with contextlib.suppress(Conflict):
            store.delete(base.id)
        store.download(child.id, tmp_path / "download.qcow2")
        assert content(tmp_path / "download.qcow2", tmp_path).startswith(b"base")

    def test_an_overlay_on_another_file_of_this_host_is_refused(self, store, tmp_path):
        outside = make_image(tmp_path / "outside.qcow2", b"secret")
        qcow2.create_overlay(tmp_path / "overlay.qcow2", outside)
        with pytest.raises(InvalidRequest, match="not in the image store"):
            store.upload("ticket.1", tmp_path / "overlay.qcow2")

    def test_an_image_is_read_from_any_place(self, store, disk):
        image = store.upload("base", disk)
        with store.open_file(image.id) as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(size // 2)
            second = file.read()
            file.seek(0)
            whole = file.read()
        assert (len(whole), whole[size // 2 :]) == (size, second)
        assert whole == disk.read_bytes()
        assert store.standalone_checksum(image.id) == hashlib.sha256(whole).hexdigest()

    @pytest.mark.parametrize("image_id", ["", "..", "../x", "nothing", "a/b", "\x00"])
    def test_an_unknown_id_is_not_found(self, store, image_id):
        with pytest.raises(NotFound):
            store.get(image_id)

    def test_the_url_names_the_image(self, store, disk):
        image = store.upload("base", disk)
        assert store.url(image.id).startswith("http")
        assert image.id in store.url(image.id)


def make_image(path: Path, start: bytes) -> Path:
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", path, "8M"], check=True)
    write(path, 0, start)
    return path


def write(path: Path, offset: int, data: bytes) -> None:
    """Write into the disk; the rest of its sector becomes zero."""
    source = path.with_suffix(".data")
    source.write_bytes(data.ljust(512, b"\0"))
    command = f"write -s {source} {offset} 512"
    subprocess.run(["qemu-io", "-f", "qcow2", "-c", command, path], check=True, capture_output=True)
    source.unlink()


def content(path: Path, directory: Path) -> bytes:
    """The whole disk."""
    raw = directory / "content.raw"
    subprocess.run(["qemu-img", "convert", "-f", "qcow2", "-O", "raw", path, raw], check=True)
    return raw.read_bytes()
