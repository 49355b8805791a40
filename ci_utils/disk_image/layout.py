"""Where the root file system lies in a disk image: read from the image's own GPT.

Nothing is assumed about offsets. The UEFI specification, chapter 5, has the
format; the Discoverable Partitions Specification the type of a root partition.
"""

from __future__ import annotations

import struct
import uuid
from dataclasses import dataclass
from pathlib import Path

from ci_utils.disk_image import qcow2
from ci_utils.errors import InvalidRequest

SECTOR = 512
#: Room for the protective MBR, the header and 128 entries, with some to spare.
GPT_BYTES = 128 * SECTOR

LINUX_ROOT_X86_64 = uuid.UUID("4f68bce3-e8cd-4db1-96e7-fbcaf984b709")
LINUX_FILE_SYSTEM = uuid.UUID("0fc63daf-8483-4772-8e79-3d69d8477de4")
BIOS_BOOT = uuid.UUID("21686148-6449-6e6f-744e-656564454649")
EFI_SYSTEM = uuid.UUID("c12a7328-f81f-11d2-ba4b-00a0c93ec93b")


@dataclass(frozen=True)
class Partition:
    """One GPT entry; `offset` and `size` in bytes, `number` counts from 1."""

    number: int
    type: uuid.UUID
    offset: int
    size: int


def partitions(image: Path) -> list[Partition]:
    """All partitions of a qcow2 image; `InvalidRequest` if it has no GPT."""
    return parse_gpt(qcow2.read_start(image, GPT_BYTES), disk_size=qcow2.virtual_size(image))


def root_partition(image: Path) -> Partition:
    """The partition that holds the root file system.

    The one typed as Linux root, else the largest Linux file system (Ubuntu's
    cloud images do not use the root type).
    """
    found = partitions(image)
    typed = [p for p in found if p.type == LINUX_ROOT_X86_64]
    candidates = typed or [p for p in found if p.type == LINUX_FILE_SYSTEM]
    if not candidates:
        raise InvalidRequest("the disk image has no Linux root partition")
    return max(candidates, key=lambda p: p.size)


def parse_gpt(start: bytes, *, disk_size: int) -> list[Partition]:
    """Read the GPT out of the first bytes of a disk; `InvalidRequest` if there is none."""
    header = start[SECTOR : SECTOR + 92]
    if header[:8] != b"EFI PART" or len(header) < 92:
        raise InvalidRequest("the disk image has no GPT partition table")
    table, count, entry_size = struct.unpack_from("<QII", header, 72)
    if entry_size < 128 or table * SECTOR + count * entry_size > len(start):
        raise InvalidRequest("the partition table of the disk image has an unusual size")
    found = []
    for number in range(1, count + 1):
        entry = start[table * SECTOR + (number - 1) * entry_size :][:entry_size]
        kind = uuid.UUID(bytes_le=entry[:16])
        first, last = struct.unpack_from("<QQ", entry, 32)
        if kind.int == 0:
            continue
        if first > last or (last + 1) * SECTOR > disk_size:
            raise InvalidRequest(f"partition {number} of the disk image reaches beyond its end")
        found.append(Partition(number, kind, first * SECTOR, (last - first + 1) * SECTOR))
    return found
