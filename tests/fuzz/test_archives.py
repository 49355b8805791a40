"""Source archives with links, devices, pipes, outside paths or without end: nothing leaves the workshop."""

from __future__ import annotations

import hashlib
import io
import tarfile
from pathlib import Path

import pytest

from ci_utils.errors import CIError
from ci_utils.sandbox.trees import remove_tree
from test_runner.domain import source_tree
from test_runner.domain.workshop import Workshop

pytestmark = pytest.mark.system

CONTROL = b"Source: hello\n\nPackage: hello\nArchitecture: all\n"
MEMBERS: dict[str, dict[str, object]] = {
    "absolute": {"name": "/tmp/uci-escaped-a"},
    "parent": {"name": "hello-1.0/../../../../../../tmp/uci-escaped-b"},
    "symbolic link out": {"name": "hello-1.0/out", "type": tarfile.SYMTYPE, "linkname": "/tmp"},
    "through the link": {"name": "hello-1.0/out/uci-escaped-c"},
    "hard link out": {"name": "hello-1.0/passwd", "type": tarfile.LNKTYPE, "linkname": "/etc/passwd"},
    "device": {"name": "hello-1.0/disk", "type": tarfile.BLKTYPE, "devmajor": 7},
    "pipe as control": {"name": "hello-1.0/debian/tests/control", "type": tarfile.FIFOTYPE},
    "control elsewhere": {
        "name": "hello-1.0/debian/tests/control",
        "type": tarfile.SYMTYPE,
        "linkname": "../../../../../etc/shadow",
    },
    "control without end": {
        "name": "hello-1.0/debian/tests/control", "type": tarfile.SYMTYPE, "linkname": "/dev/zero",
    },
    "debian elsewhere": {"name": "hello-1.0/debian", "type": tarfile.SYMTYPE, "linkname": "/etc"},
    "no utf-8": {"name": "hello-1.0/\udcff\udcfe"},
    "newline": {"name": "hello-1.0/a\nb"},
    "root's": {"name": "hello-1.0/setuid", "mode": 0o6755},
}  # fmt: skip

LINK_AND_THROUGH = ["symbolic link out", "through the link"]


def _source(directory: Path, members: list[str]) -> Path:
    directory.mkdir()
    directory.chmod(0o755)
    archive = directory / "hello_1.0.tar.gz"
    with tarfile.open(archive, "w:gz", errors="surrogateescape") as tar:
        written = {"hello-1.0/debian/control": CONTROL, "hello-1.0/debian/tests/control": b"Tests: one\n"}
        for name, content in written.items():
            if not any(MEMBERS[member]["name"] == name for member in members):
                tar.addfile(_member(name=name, size=len(content)), io.BytesIO(content))
        for member in members:
            tar.addfile(_member(**MEMBERS[member]))
    content = archive.read_bytes()
    dsc = directory / "hello_1.0.dsc"
    lines = [
        "Format: 3.0 (native)\nSource: hello\nVersion: 1.0",
        f"Checksums-Sha256:\n {hashlib.sha256(content).hexdigest()} {len(content)} {archive.name}",
        f"Files:\n {hashlib.md5(content).hexdigest()} {len(content)} {archive.name}\n",
    ]
    dsc.write_text("\n".join(lines))
    return dsc


def _member(**fields: object) -> tarfile.TarInfo:
    member = tarfile.TarInfo()
    member.mode = 0o644
    for name, value in fields.items():
        setattr(member, name, value)
    return member


@pytest.mark.timeout(600)
@pytest.mark.parametrize("members", [*([name] for name in MEMBERS), LINK_AND_THROUGH], ids=str)
def test_no_member_of_a_source_reaches_out_of_the_workshop(tmp_path, monkeypatch, members):
    monkeypatch.setattr("test_runner.domain.source_tree.READING_SECONDS", 3)
    dsc = _source(tmp_path / "source", members)
    room = tmp_path / "room"
    room.mkdir(mode=0o700)
    workshop = Workshop(room)
    with (tmp_path / "log").open("wb") as log:
        try:
            tree = source_tree.unpack("hello", dsc, workshop, log=log, cancelled=lambda: False)
            assert set(tree.tests.names) <= {"one"}
        except CIError as error:
            assert str(tmp_path) not in error.message  # noqa: PT017 -- it may be accepted too
    assert not list(Path("/tmp").glob("uci-escaped-*"))
    unpacked = [path for path in workshop.work.rglob("*") if not path.is_symlink()]
    assert not any(path.is_block_device() or path.stat().st_mode & 0o6000 for path in unpacked)
    remove_tree(room)
