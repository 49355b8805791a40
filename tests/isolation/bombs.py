"""Source packages whose tar archive is not what dpkg-source would have packed."""

from __future__ import annotations

import hashlib
import io
import subprocess
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.ci_utils.source_package.uploads import SigningKey
from tests.source_packages import SourcePackage

#: Adds its members to the archive of the directory that is named.
Fill = Callable[[tarfile.TarFile, str], None]


@dataclass
class Bomb(SourcePackage):
    """A package that is a good one up to what `fill` adds to its archive."""

    fill: Fill = lambda archive, top: None

    def upload(self, directory: Path, key: SigningKey) -> Path:
        tree = directory / f"{self.name}-{self.version}"
        self._write(tree)
        subprocess.run(["dpkg-source", "--build", "."], cwd=tree, check=True, capture_output=True)
        packed = directory / f"{self.name}_{self.version}.tar.xz"
        before = packed.read_bytes()
        with tarfile.open(packed, "w:xz", preset=0, format=tarfile.GNU_FORMAT) as archive:
            archive.add(tree, arcname=tree.name)
            self.fill(archive, tree.name)
        dsc = directory / f"{self.name}_{self.version}.dsc"
        dsc.write_bytes(key.clearsign(_described(dsc.read_bytes(), before, packed.read_bytes())))
        listed = subprocess.run(
            ["dpkg-genchanges", "--build=source", "-q"], cwd=tree, check=True, capture_output=True
        )
        changes = directory / f"{self.name}_{self.version}_source.changes"
        changes.write_bytes(key.clearsign(listed.stdout))
        return changes


def _described(dsc: bytes, before: bytes, after: bytes) -> bytes:
    """The .dsc with the checksums and the size of the new archive."""
    for algorithm in ("md5", "sha1", "sha256"):
        old, new = (hashlib.new(algorithm, data).hexdigest() for data in (before, after))
        dsc = dsc.replace(f"{old} {len(before)}".encode(), f"{new} {len(after)}".encode())
    return dsc


def huge_file(archive: tarfile.TarFile, top: str) -> None:
    """Few bytes packed, 200 MiB unpacked."""
    member = tarfile.TarInfo(f"{top}/huge")
    member.size = 200 << 20
    with Path("/dev/zero").open("rb") as zeros:
        archive.addfile(member, zeros)


def many_files(archive: tarfile.TarFile, top: str) -> None:
    """More files than fit into the limit."""
    for number in range(66_000):
        archive.addfile(tarfile.TarInfo(f"{top}/{number}"))


def ways_out(victim: Path) -> dict[str, Fill]:
    """Members that would write to `victim`, each by another trick."""

    def add(archive: tarfile.TarFile, name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> None:
        member = tarfile.TarInfo(name)
        member.type, member.linkname, member.mode = kind, link, 0o777
        data = b"out" if kind == tarfile.REGTYPE else b""
        member.size = len(data)
        archive.addfile(member, io.BytesIO(data))

    def through_link(archive: tarfile.TarFile, top: str) -> None:
        add(archive, f"{top}/link", tarfile.SYMTYPE, str(victim))
        add(archive, f"{top}/link/written")

    def hard_link(archive: tarfile.TarFile, top: str) -> None:
        add(archive, f"{top}/hard", tarfile.LNKTYPE, str(victim / "kept"))
        add(archive, f"{top}/hard")

    def device(archive: tarfile.TarFile, top: str) -> None:
        member = tarfile.TarInfo(f"{top}/disk")
        member.type, member.devmajor, member.devminor = tarfile.BLKTYPE, 254, 0
        archive.addfile(member)

    return {
        "absolute": lambda archive, top: add(archive, str(victim / "written")),
        "upwards": lambda archive, top: add(archive, f"{top}/{'../' * 20}{victim}/written"),
        "throughlink": through_link,
        "hardlink": hard_link,
        "device": device,
    }
