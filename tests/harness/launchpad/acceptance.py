"""What Launchpad takes as an upload. The reasons go into a mail to the signer, and nowhere else."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from debian.debian_support import Version

from ci_utils.errors import UploadRejected
from ci_utils.source_package.changes import read_changes
from ci_utils.source_package.dsc import check_files, in_directory


class Rejected(Exception):
    """Launchpad's reason."""


@dataclass(frozen=True)
class Upload:
    """An upload that may go on; its files lie beside its .changes."""

    owner: str
    ppa: str
    series: str
    source: str
    version: str
    changes: Path
    files: tuple[Path, ...]


class Known(Protocol):
    """A version that an archive has or had."""

    name: str
    version: str

    @property
    def active(self) -> bool: ...


def read_upload(incoming: str, directory: Path, keyring: bytes) -> Upload:
    """Check an upload to `~OWNER/ubuntu/PPA/SERIES`: one .changes, whole, signed by somebody who may."""
    owner, distribution, ppa, series = (incoming.removeprefix("~").split("/") + [""] * 4)[:4]
    found = sorted(directory.glob("*.changes"))
    if len(found) != 1 or distribution != "ubuntu":
        raise Rejected(f"Upload to {incoming} has {len(found)} changes files.")
    try:
        changes = read_changes(found[0].read_bytes(), found[0].name, keyring)
        control = check_files(changes, in_directory(directory))
    except UploadRejected as error:
        raise Rejected(f"{error.message}") from None
    names = [control.filename, *(file.name for file in control.files)]
    files = tuple(directory / name for name in names)
    return Upload(owner, ppa, series, control.source, control.version, found[0], files)


def refuse_known_versions(publications: Iterable[Known], name: str, version: str, where: str) -> None:
    """A version is taken once, whatever was deleted since, and never below one that is there."""
    for known in publications:
        if known.name == name and known.version == version:
            raise Rejected(f"{name} {version} (same version already has published binaries {where})")
        if known.name == name and known.active and Version(version) < Version(known.version):
            raise Rejected(f"{name}: Version older than that {where}. {version} <= {known.version}")
