"""The partition table is read from the image, whatever it holds."""

from __future__ import annotations

import pytest

from ci_utils.disk_image import layout, qcow2
from ci_utils.errors import InvalidRequest
from tests.ci_utils.disk_image.disks import ESP, LINUX, LINUX_ROOT, MIB, make_disk


def test_the_root_partition_is_found_by_its_type(tmp_path):
    disk = make_disk(tmp_path / "d.qcow2", [(14, 1, 3, LINUX), (15, 4, 8, ESP), (1, 20, 4, LINUX_ROOT)])
    root = layout.root_partition(disk)
    assert (root.number, root.offset, root.size) == (1, 20 * MIB, 4 * MIB)


def test_without_a_typed_root_the_largest_linux_file_system_is_taken(tmp_path):
    disk = make_disk(tmp_path / "d.qcow2", [(1, 8, 30, LINUX), (16, 40, 8, LINUX), (15, 50, 8, ESP)])
    assert layout.root_partition(disk).number == 1


def test_the_order_of_the_entries_does_not_matter(tmp_path):
    disk = make_disk(tmp_path / "d.qcow2", [(3, 40, 8, ESP), (7, 8, 16, LINUX_ROOT)])
    assert [(p.number, p.offset) for p in layout.partitions(disk)] == [(3, 40 * MIB), (7, 8 * MIB)]


def test_an_image_without_linux_is_refused(tmp_path):
    disk = make_disk(tmp_path / "d.qcow2", [(1, 8, 8, ESP)])
    with pytest.raises(InvalidRequest, match="no Linux root partition"):
        layout.root_partition(disk)


def test_an_image_without_gpt_is_refused():
    with pytest.raises(InvalidRequest, match="no GPT"):
        layout.parse_gpt(bytes(layout.GPT_BYTES), disk_size=MIB)


def test_a_partition_beyond_the_end_of_the_disk_is_refused(tmp_path):
    disk = make_disk(tmp_path / "d.qcow2", [(1, 8, 40, LINUX_ROOT)])
    start = qcow2.read_start(disk, layout.GPT_BYTES)
    with pytest.raises(InvalidRequest, match="beyond its end"):
        layout.parse_gpt(start, disk_size=20 * MIB)


def test_a_table_of_absurd_size_is_refused(tmp_path):
    disk = make_disk(tmp_path / "d.qcow2", [(1, 8, 40, LINUX_ROOT)])
    start = bytearray(qcow2.read_start(disk, layout.GPT_BYTES))
    start[512 + 80 : 512 + 84] = b"\xff\xff\xff\x7f"
    with pytest.raises(InvalidRequest, match="unusual size"):
        layout.parse_gpt(bytes(start), disk_size=64 * MIB)


def test_a_table_that_ends_in_its_header_is_refused():
    with pytest.raises(InvalidRequest, match="no GPT"):
        layout.parse_gpt(bytes(512) + b"EFI PART", disk_size=MIB)
