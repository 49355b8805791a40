"""Small disk images made for a test, without anything of Debian in them."""

from __future__ import annotations

import subprocess
from pathlib import Path

MIB = 1024 * 1024
LINUX = "0FC63DAF-8483-4772-8E79-3D69D8477DE4"
LINUX_ROOT = "4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709"
ESP = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"


def make_disk(path: Path, entries: list[tuple[int, int, int, str]], *, size_mib: int = 64) -> Path:
    """A qcow2 file with these partitions: number, start and size in MiB, type."""
    raw = path.with_suffix(".raw")
    with raw.open("wb") as file:
        file.truncate(size_mib * MIB)
    lines = [
        f"{raw}{number}: start={start * 2048}, size={size * 2048}, type={kind}"
        for number, start, size, kind in entries
    ]
    subprocess.run(["sfdisk", "--quiet", raw], input="\n".join(["label: gpt", *lines]), text=True, check=True)
    return to_qcow2(raw, path)


def to_qcow2(raw: Path, path: Path) -> Path:
    """Convert a raw disk, which is removed."""
    path.unlink(missing_ok=True)
    subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", "qcow2", raw, path], check=True)
    raw.unlink()
    return path


def check_file_system(image: Path, offset: int) -> None:
    """Fail the test if `e2fsck -fn` finds anything in the file system at `offset`."""
    raw = image.with_suffix(".raw")
    subprocess.run(["qemu-img", "convert", "-O", "raw", image, raw], check=True)
    done = subprocess.run(
        ["e2fsck", "-fn", f"{raw}?offset={offset}"], capture_output=True, text=True, check=False
    )
    raw.unlink()
    assert done.returncode == 0, done.stdout
