"""Disk image files as `qemu-img` sees them: overlays, checks and files that stand alone."""

from __future__ import annotations

import json
import os
import struct
import tempfile
from pathlib import Path
from typing import Any

from ci_utils.commands import run
from ci_utils.errors import InvalidRequest, ToolFailed

MAGIC = b"QFI\xfb"
#: Version, offset of the backing file's name and incompatible features (QEMU's docs/interop/qcow2.rst).
HEADER = struct.Struct(">4xIQ56xQ")
EXTERNAL_DATA = 1 << 2
COPY_SECONDS = 1800


def create_overlay(path: Path, backing: Path, *, relative: bool = False) -> None:
    """Make an empty qcow2 file at `path` that reads through to `backing`.

    `relative` names the backing file relative to `path`, so that both can be
    moved together.
    """
    name = os.path.relpath(backing, path.parent) if relative else str(backing.resolve())
    run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", name, path])


def from_raw(source: Path, target: Path) -> None:
    """Convert a raw disk to qcow2; what is zero takes no room."""
    run(["qemu-img", "convert", "-f", "raw", "-O", "qcow2", source, target], timeout=COPY_SECONDS)


def flatten(source: Path, target: Path, *, compress: bool = False) -> None:
    """Write `source` with all its backing files to `target` as one qcow2 file that stands alone.

    `compress` makes it a third as large; QEMU reads such files since version 5.1.
    """
    options = ["-c", "-W", "-o", "compression_type=zstd"] if compress else []
    run(
        ["qemu-img", "convert", "-f", "qcow2", "-O", "qcow2", *options, source, target],
        timeout=COPY_SECONDS,
    )


def rebase(path: Path, backing: Path, *, relative: bool = False) -> None:
    """Give an overlay another name for the same backing file; its content does not change."""
    name = os.path.relpath(backing, path.parent) if relative else str(backing.resolve())
    run(["qemu-img", "rebase", "-q", "-u", "-f", "qcow2", "-F", "qcow2", "-b", name, path])


def backing_file(path: Path) -> Path | None:
    """The file that an overlay reads through to, if it is one."""
    name = _info(path).get("full-backing-filename")
    return Path(name) if name else None


def chain(path: Path) -> list[Path]:
    """The file and all its backing files, the top one first."""
    files = [path]
    while backing := backing_file(files[-1]):
        files.append(backing)
    return files


def virtual_size(path: Path) -> int:
    """Bytes of the disk as a machine sees it."""
    return int(_info(path)["virtual-size"])


def read_start(path: Path, length: int) -> bytes:
    """The first `length` bytes of the disk (a multiple of 512)."""
    with tempfile.TemporaryDirectory(prefix="uci-start-") as directory:
        target = Path(directory) / "start"
        blocks = f"count={length // 512}"
        run(
            [
                "qemu-img",
                "dd",
                "-U",
                "-f",
                "qcow2",
                "-O",
                "raw",
                "bs=512",
                blocks,
                f"if={path}",
                f"of={target}",
            ]
        )
        return target.read_bytes()


def require_standalone(path: Path, name: str) -> None:
    """Raise `InvalidRequest` unless `path` is a qcow2 file that names no other file.

    A backing or data file in an image from outside would let it read any file
    of this host.
    """
    with path.open("rb") as file:
        header = file.read(HEADER.size)
    if header[:4] != MAGIC or len(header) < HEADER.size:
        raise InvalidRequest(f"{name} is not a qcow2 disk image")
    # Read here first: qemu-img would open the other files to tell of them.
    version, backing, features = HEADER.unpack(header)
    if backing or (version > 2 and features & EXTERNAL_DATA):
        raise InvalidRequest(f"{name} refers to other files; give an image that stands alone")
    try:
        info = _info(path)
    except ToolFailed:
        raise InvalidRequest(f"{name} is not a qcow2 disk image that can be read") from None
    specific = info.get("format-specific", {}).get("data", {})
    if info.get("backing-filename") or specific.get("data-file") or info.get("encrypted"):
        raise InvalidRequest(f"{name} refers to other files or is encrypted; give an image that stands alone")


def _info(path: Path) -> dict[str, Any]:
    out = run(["qemu-img", "info", "-U", "-f", "qcow2", "--output=json", path])
    info: dict[str, Any] = json.loads(out)
    return info
