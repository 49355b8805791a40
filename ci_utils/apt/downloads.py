"""Fetches packages by their digests, with apt's downloader; what the mirror has is kept for others."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ci_utils.apt.mirror import DOWNLOAD_SECONDS, Mirror, apt_environment
from ci_utils.commands import run
from ci_utils.disk_space import DISK_FULL
from ci_utils.errors import ToolFailed, Unavailable
from ci_utils.shared_files import share

#: Unlike apt-get it needs neither lists nor a status, and fetches what it is told.
DOWNLOADER = "/usr/lib/apt/apt-helper"


@dataclass(frozen=True)
class Package:
    """A .deb that an installation takes; `uri` says where from, `digest` what is in it."""

    uri: str
    filename: str
    digest: str


def fetch(packages: Sequence[Package], directory: Path, mirror: Mirror, config: Path) -> list[Path]:
    """The .debs of `packages` in `directory`, which is emptied first; `config` is apt's.

    What comes from the mirror is kept for others; what comes from another
    archive is not, for it could bear the name of another package. Raises
    `Unavailable` if the mirror does not answer or has other packages by now,
    `ToolFailed` if the disk is full.
    """
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
    mirrors = tuple(source.uri for source in mirror.sources())
    shared = [package for package in packages if package.uri.startswith(mirrors)]
    for package in shared:
        _take_kept(mirror.debs_dir / package.filename, package.digest, directory)
    missing = [package for package in packages if not (directory / package.filename).exists()]
    if missing:
        _download(missing, directory, config)
    for package in shared:
        with contextlib.suppress(FileExistsError):
            share(directory / package.filename, mirror.debs_dir / package.filename)
    return [directory / package.filename for package in packages]


def _download(packages: Sequence[Package], directory: Path, config: Path) -> None:
    wanted = [part for p in packages for part in (p.uri, str(directory / p.filename), p.digest)]
    try:
        run([DOWNLOADER, "download-file", *wanted], env=apt_environment(config), timeout=DOWNLOAD_SECONDS)
    except ToolFailed as error:
        if DISK_FULL in error.message:
            raise
        raise Unavailable("packages cannot be fetched from the mirror") from error


def _take_kept(kept: Path, digest: str, directory: Path) -> None:
    """Have a kept .deb in `directory` too; a damaged one, as after a loss of power, is kept no longer."""
    try:
        with kept.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return
    if digest == f"SHA256:{found}":
        with contextlib.suppress(FileNotFoundError):
            share(kept, directory / kept.name)
    else:
        kept.unlink(missing_ok=True)
