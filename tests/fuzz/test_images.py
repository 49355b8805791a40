"""Whatever a disk image, its package state or apt's answers hold, they are read or refused."""

from __future__ import annotations

import struct
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from hypothesis import strategies as st

from ci_utils.apt.mirror import Mirror
from ci_utils.apt.resolver import InstallPlan, Resolver, Unsatisfiable
from ci_utils.disk_image import layout, qcow2
from ci_utils.disk_image.manifest import difference, manifest_text, parse_status
from ci_utils.disk_image.packages import complaint
from ci_utils.errors import CIError, InvalidRequest
from tests.fuzz.inputs import fuzz, noise, spoiled, stanzas, values

_numbers = st.sampled_from([0, 1, 2, 34, 40, 127, 128, 129, 2**31, 2**32 - 1, 2**63, 2**64 - 1])
_kinds = st.sampled_from([layout.LINUX_ROOT_X86_64.bytes_le, layout.LINUX_FILE_SYSTEM.bytes_le, bytes(16)])


def _gpt(table: int, count: int, size: int, entries: list[tuple[bytes, int, int]], cut: int) -> bytes:
    header = b"EFI PART".ljust(72, b"\0") + struct.pack("<QII", table, count % 2**32, size % 2**32)
    written = b"".join(
        (kind + bytes(16) + struct.pack("<QQ", first, last)).ljust(128, b"\0")
        for kind, first, last in entries
    )
    return (bytes(512) + header.ljust(512, b"\0") + written).ljust(layout.GPT_BYTES, b"\0")[:cut]


_tables = spoiled(
    st.builds(
        _gpt,
        st.just(2) | _numbers,
        st.just(8) | _numbers,
        st.just(128) | _numbers,
        st.lists(st.tuples(_kinds, _numbers, _numbers), max_size=8),
        st.just(layout.GPT_BYTES) | st.integers(0, 4096),
    )
)


@fuzz(_tables | st.binary(max_size=1200), raw=True)
def test_partitions_lie_in_the_disk_or_are_refused(start):
    disk_size = 1 << 30
    with suppress(InvalidRequest):
        for partition in layout.parse_gpt(start, disk_size=disk_size):
            assert 0 <= partition.offset < partition.offset + partition.size <= disk_size


def _qcow2(
    version: int, backing: tuple[int, int], size: int, crypt: int, l1: tuple[int, int], features: int
) -> bytes:
    head = struct.pack(">4sIQIIQIIQ", qcow2.MAGIC, version, *backing, 16, size, crypt, l1[0], l1[1] or 65536)
    return (head + struct.pack(">QIIQQQQII", 131072, 1, 0, 0, features, 0, 0, 4, 104)).ljust(4096, b"\0")


_small = st.integers(0, 8) | _numbers.map(lambda number: number % 2**32)
_disks = spoiled(
    st.builds(
        _qcow2,
        st.sampled_from([2, 3, 4]),
        st.tuples(st.sampled_from([0, 104, 2**40]), st.sampled_from([0, 4, 2000])),
        _numbers,
        st.sampled_from([0, 1, 2]),
        st.tuples(_small, _small),
        st.sampled_from([0, 1, 2, 4, 8, 16, 2**63]),
    )
)


@fuzz(_disks, share=0.1)
def test_an_image_that_names_other_files_is_refused(content):
    with tempfile.TemporaryDirectory() as directory:
        image = Path(directory) / "image"
        image.write_bytes(content)
        with suppress(InvalidRequest):
            qcow2.require_standalone(image, "image")
            version, backing = struct.unpack_from(">IQ", content, 4)
            assert version in (2, 3)
            assert backing == 0
            with suppress(CIError):
                layout.root_partition(image)


_status = ["Package", "Status", "Version", "Architecture"]
_states = values | st.sampled_from(["install ok installed", "deinstall ok config-files"])
_statuses = spoiled(st.lists(stanzas(_status, _states), max_size=5).map(b"\n".join))


@fuzz(_statuses, _statuses)
def test_a_manifest_has_one_line_for_each_package(before, after):
    with suppress(CIError):
        old, new = (parse_status(text.decode(errors="replace")) for text in (before, after))
        assert len(manifest_text(new).splitlines()) == len(new)
        changes = difference(old, new)
        count = len(changes.added) + len(changes.removed) + len(changes.changed)
        assert len(changes.to_text().splitlines()) == count


class _SaidByApt(Resolver):
    """A resolver whose apt has said something."""

    def __init__(self, said: str) -> None:
        super().__init__(Mirror(Path("cache"), "bookworm"), Path("resolver"), Path("status"))
        self._said = said

    def _apt_get(self, arguments: Sequence[str | Path], timeout: float = 120) -> str:
        return self._said

    def plan(self) -> InstallPlan:
        return self._plan(["install"])


_lines = st.builds("'{}' {} {} {}".format, values, values, st.integers(-1, 99), values) | st.sampled_from(
    [
        "The following packages will be REMOVED:",
        "  a* b",
        "E: Unable to locate package x",
        " a : Depends: b (>= 1)",
    ]
)


@fuzz(st.lists(_lines | noise, max_size=8).map("\n".join))
def test_what_apt_says_is_read_or_left_out(said):
    assert complaint(said)
    with suppress(Unsatisfiable):
        plan = _SaidByApt(said).plan()
        assert all(package.filename and "/" not in package.filename for package in plan.packages)
        assert plan.key
