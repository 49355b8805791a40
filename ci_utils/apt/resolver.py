"""Asks apt's own solver what an installation takes, and fetches it.

Nothing is installed and no root is entered: the solver reads the dpkg status
of the root in question, the mirror's lists and the lists of local archives.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

from ci_utils.apt.mirror import DOWNLOAD_SECONDS, Mirror, apt_environment, replace_text
from ci_utils.commands import run
from ci_utils.errors import ToolFailed, Unavailable

_URI = re.compile(r"^'(\S+)' ([^\s/]+) (\d+) (\S+)$", re.MULTILINE)
_REMOVED = re.compile(r"^The following packages will be REMOVED:\n((?:  .*\n)+)", re.MULTILINE)
_UNMET = re.compile(r"(?:Depends|PreDepends|Conflicts): ([a-z0-9][a-z0-9+.:-]+(?: \([^)]*\))?)")
#: Unlike with `file:`, apt treats packages from there as ones to be fetched.
LOCAL = "copy:"
#: The locks belong to roots that others own; nothing is written there.
_UNLOCKED = ("-o", "Debug::NoLocking=true")
_STRONG_DIGESTS = ("-o", "Acquire::ForceHash=SHA256")


class Unsatisfiable(Exception):
    """The solver found no way; `what` is the first dependency that stands in it."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what


@dataclass(frozen=True)
class LocalArchive:
    """An apt archive in a directory of this host, with the file of the key that signs it."""

    name: str
    directory: Path
    keyring: Path

    def stanza(self, series: str) -> str:
        """The entry of apt's sources for it."""
        return source_stanza(f"{LOCAL}{quote(str(self.directory))}", series, "main", self.keyring)


class SourceEntry(Protocol):
    """An archive that a resolver takes packages from beside the mirror."""

    def stanza(self, series: str) -> str:
        """The entry of apt's sources for it."""


def source_stanza(uri: str, suite: str, components: str, keyring: Path) -> str:
    """A deb822 entry of apt's sources."""
    return f"Types: deb\nURIs: {uri}\nSuites: {suite}\nComponents: {components}\nSigned-By: {keyring}\n"


@dataclass(frozen=True)
class Package:
    """A .deb that an installation takes; `uri` says where from, `digest` what is in it."""

    uri: str
    filename: str
    digest: str


@dataclass(frozen=True)
class InstallPlan:
    """What apt would install and remove."""

    packages: Sequence[Package] = ()
    removed: Sequence[str] = ()

    @property
    def empty(self) -> bool:
        """Whether nothing has to be done."""
        return not self.packages and not self.removed

    @property
    def key(self) -> str:
        """The same for the same contents, whichever archive they come from."""
        parts = sorted(f"{p.filename} {p.digest}" for p in self.packages) + sorted(self.removed)
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


class Resolver:
    """apt's solver over a mirror and local archives, for a root with the given dpkg status.

    `directory` is the resolver's own; one directory belongs to one list of archives.
    """

    def __init__(
        self, mirror: Mirror, directory: Path, status: Path, archives: Sequence[SourceEntry] = ()
    ) -> None:
        self._mirror = mirror
        self._directory = directory
        self._status = status
        self._archives = archives

    def build_dependencies(self, dsc: Path) -> InstallPlan:
        """What building a source package takes, for packages of all architectures.

        Raises `Unsatisfiable`.
        """
        return self._plan(["build-dep", dsc.absolute()])

    def fetch(self, dsc: Path, plan: InstallPlan) -> list[Path]:
        """The .debs of `plan` (made for `dsc`) as verified files; see `_fetch`."""
        return self._fetch(["build-dep", dsc.absolute()], plan)

    def refresh(self) -> None:
        """Take over the mirror's lists and read those of the local archives anew."""
        for name in ("lists/partial", "none/partial", "local", "parts"):
            (self._directory / name).mkdir(parents=True, exist_ok=True)
        self._take_lists()
        sources = "\n".join(archive.stanza(self._mirror.series) for archive in self._archives)
        replace_text(self._directory / "local" / "local.sources", sources)
        replace_text(self._directory / "parts" / "local.sources", sources)
        mirror = (self._mirror.directory / "parts" / "mirror.sources").read_text()
        replace_text(self._directory / "parts" / "mirror.sources", mirror)
        replace_text(self._config, "\n".join(self._mirror.apt_options(self._options())) + "\n")
        if self._archives:
            self._apt_get(
                ["-qq", "-o", f"Dir::Etc::sourceparts={self._directory / 'local'}",
                 "-o", "APT::Get::List-Cleanup=false", "update"],
            )  # fmt: skip

    @property
    def _config(self) -> Path:
        return self._directory / "apt.conf"

    def _options(self) -> Mapping[str, Path | str]:
        here = self._directory
        # Without local archives the mirror's prepared cache serves as it is.
        lists = here / "lists" if self._archives else self._mirror.lists_dir
        cache = here if self._archives else self._mirror.directory
        return {
            "Dir::State::status": self._status,
            "Dir::State::lists": lists,
            "Dir::State::extended_states": here / "extended_states",
            "Dir::Etc::sourceparts": here / "parts",
            "Dir::Cache::pkgcache": here / "pkgcache.bin",
            "Dir::Cache::srcpkgcache": cache / "srcpkgcache.bin",
            "Dir::Cache::archives": self._mirror.debs_dir,
        }

    def _take_lists(self) -> None:
        lists = self._directory / "lists"
        for path in lists.iterdir():
            if path.is_symlink():
                path.unlink()
        for path in self._mirror.lists_dir.iterdir():
            if path.is_file() and path.name != "lock":
                (lists / path.name).symlink_to(path.absolute())

    def _plan(self, arguments: Sequence[str | Path]) -> InstallPlan:
        nothing_downloaded = ["-o", f"Dir::Cache::archives={self._directory / 'none'}"]
        try:
            printed = self._apt_get(
                [*_UNLOCKED, *_STRONG_DIGESTS, *nothing_downloaded, "--print-uris", *arguments]
            )
        except ToolFailed as error:
            unmet = _UNMET.search(error.output)
            raise Unsatisfiable(unmet[1] if unmet else "a package") from error
        removed = _REMOVED.search(printed)
        return InstallPlan(
            packages=[Package(uri, name, digest) for uri, name, _, digest in _URI.findall(printed)],
            removed=[name.rstrip("*") for name in removed[1].split()] if removed else [],
        )

    def _fetch(self, arguments: Sequence[str | Path], plan: InstallPlan) -> list[Path]:
        """The .debs of `plan` (what `_plan` said of `arguments`), verified, good until the next fetch.

        What comes from the mirror is kept for others; what comes from another
        archive is not, for it could bear the name of another package. Raises
        `Unavailable` if the mirror does not answer.
        """
        fetched = self._directory / "fetched"
        shutil.rmtree(fetched, ignore_errors=True)
        (fetched / "partial").mkdir(parents=True)
        mirrors = tuple(source.uri for source in self._mirror.sources())
        shared = [package for package in plan.packages if package.uri.startswith(mirrors)]
        for package in shared:
            _link(self._mirror.debs_dir / package.filename, fetched / package.filename)
        here = [*_UNLOCKED, "-o", f"Dir::Cache::archives={fetched}"]
        try:
            self._apt_get([*here, "--download-only", *arguments], timeout=DOWNLOAD_SECONDS)
        except ToolFailed as error:
            raise Unavailable("packages cannot be fetched from the mirror") from error
        for package in shared:
            _link(fetched / package.filename, self._mirror.debs_dir / package.filename)
        return [fetched / package.filename for package in plan.packages]

    def _apt_get(self, arguments: Sequence[str | Path], timeout: float = 120) -> str:
        printed = run(["apt-get", *arguments], env=apt_environment(self._config), timeout=timeout)
        return printed.decode(errors="replace")


def _link(source: Path, target: Path) -> None:
    """Have `source` at `target` too, if there is one and the target is free."""
    try:
        os.link(source, target)
    except (FileNotFoundError, FileExistsError):
        return
    except OSError:
        shutil.copyfile(source, target)
