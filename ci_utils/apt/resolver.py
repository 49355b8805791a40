"""Asks apt's own solver what an installation takes, and fetches it.

Nothing is installed and no root is entered: the solver reads the dpkg status
of the root in question, the mirror's lists and the lists of local archives.

The mirror's lists are large, and apt keeps them prepared as long as no other
archive is named beside them. So apt verifies the lists of archives in
directories by themselves and then reads them as it reads packages given by
`--with-source`: a plan takes a third of the time that way. Of one version in
both apt would then take the mirror's; what was built here goes first.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

from ci_utils.apt.downloads import Package, fetch
from ci_utils.apt.mirror import Mirror, apt_environment, replace_text
from ci_utils.commands import run
from ci_utils.disk_space import DISK_FULL
from ci_utils.errors import ToolFailed

_URI = re.compile(r"^'(\S+)' ([^\s/]+) (\d+) (\S+)$", re.MULTILINE)
_REMOVED = re.compile(r"^The following packages will be REMOVED:\n((?:  .*\n)+)", re.MULTILINE)
_UNMET = re.compile(r"(?:Depends|PreDepends|Conflicts): ([a-z0-9][a-z0-9+.:-]+(?: \([^)]*\))?)")
#: Of lists whose descriptions packages wrote: nothing that takes longer than reading them.
_IDENTITY = re.compile(r"^(Package|Version): (\S+)$", re.MULTILINE)
#: What apt prefers of one package: its version in an archive that it reads as by `--with-source`.
_PREFERRED = "Package: {}\nPin: release a=volatile-packages-file\nPin-Priority: 501\n\n"
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
        return source_stanza(local_uri(self.directory), series, "main", self.keyring)


class SourceEntry(Protocol):
    """An archive that a resolver takes packages from beside the mirror."""

    @property
    def directory(self) -> Path | None:
        """Where it lies on this host, if it does."""

    def stanza(self, series: str) -> str:
        """The entry of apt's sources for it."""


def local_uri(directory: Path) -> str:
    """How apt's sources name an archive in a directory."""
    return f"{LOCAL}{quote(str(directory.absolute()))}"


def source_stanza(uri: str, suite: str, components: str, keyring: Path) -> str:
    """A deb822 entry of apt's sources."""
    return f"Types: deb\nURIs: {uri}\nSuites: {suite}\nComponents: {components}\nSigned-By: {keyring}\n"


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
        self._places: dict[str, str] = {}
        self._local_versions: set[str] = set()
        self._preferred: set[str] = set()

    def build_dependencies(self, dsc: Path) -> InstallPlan:
        """What building a source package takes, for packages of all architectures.

        Raises `Unsatisfiable`.
        """
        return self._plan(["build-dep", dsc.absolute()])

    def fetch(self, plan: InstallPlan) -> list[Path]:
        """The .debs of `plan`, verified, good until the next fetch; raises what `downloads.fetch` raises."""
        return fetch(plan.packages, self._directory / "fetched", self._mirror, self._config)

    def refresh(self) -> None:
        """Take over the mirror's lists and read those of the other archives anew."""
        for name in ("lists/partial", "none/partial", "local", "parts"):
            (self._directory / name).mkdir(parents=True, exist_ok=True)
        self._take_lists()
        self._write_sources("local", self._archives)
        self._write_sources("parts", self._distant)
        mirror = (self._mirror.directory / "parts" / "mirror.sources").read_text()
        replace_text(self._directory / "parts" / "mirror.sources", mirror)
        replace_text(self._preferences, "")
        self._preferred.clear()
        options = self._mirror.apt_options(self._options())
        replace_text(self._config, "\n".join(options) + "\n")
        if self._archives:
            self._apt_get(["-qq", *self._without_mirror, "-o", "APT::Get::List-Cleanup=false", "update"])
            options += [f'APT::Sources::With:: "{path}";' for path in self._read_local()]
            replace_text(self._config, "\n".join(options) + "\n")

    @property
    def _config(self) -> Path:
        return self._directory / "apt.conf"

    @property
    def _preferences(self) -> Path:
        return self._directory / "preferences"

    @property
    def _distant(self) -> list[SourceEntry]:
        return [archive for archive in self._archives if archive.directory is None]

    @property
    def _without_mirror(self) -> list[str]:
        here = self._directory
        places = {"Dir::Etc::sourceparts": here / "local", "Dir::State::lists": here / "lists"}
        # What apt prepares of these lists alone must not take the place of the mirror's.
        nowhere = {"Dir::Cache::pkgcache": "", "Dir::Cache::srcpkgcache": ""}
        return [part for name, value in {**places, **nowhere}.items() for part in ("-o", f"{name}={value}")]

    def _options(self) -> Mapping[str, Path | str]:
        here = self._directory
        # Without distant archives the mirror's prepared cache serves as it is.
        lists = here / "lists" if self._distant else self._mirror.lists_dir
        cache = here if self._distant else self._mirror.directory
        return {
            "Dir::State::status": self._status,
            "Dir::State::lists": lists,
            "Dir::State::extended_states": here / "extended_states",
            "Dir::Etc::sourceparts": here / "parts",
            "Dir::Etc::preferences": self._preferences,
            # What apt makes with archives in directories it makes anew each time.
            "Dir::Cache::pkgcache": "" if self._distant != list(self._archives) else here / "pkgcache.bin",
            "Dir::Cache::srcpkgcache": cache / "srcpkgcache.bin",
            "Dir::Cache::archives": self._mirror.debs_dir,
        }

    def _write_sources(self, name: str, archives: Sequence[SourceEntry]) -> None:
        text = "\n".join(archive.stanza(self._mirror.series) for archive in archives)
        replace_text(self._directory / name / "local.sources", text)

    def _read_local(self) -> list[Path]:
        """The verified lists of the archives in directories, each a file that apt reads beside the mirror's.

        apt takes it that the packages lie where the file lies; `_places` says where they do.
        """
        wanted = ["--format", "$(REPO_URI) $(FILENAME)", "Identifier: Packages"]
        printed = self._apt_get([*self._without_mirror, "indextargets", *wanted])
        lists = [line.split(" ", 1) for line in printed.splitlines()]
        files = []
        self._local_versions.clear()
        for number, archive in enumerate(self._archives):
            if archive.directory is None:
                continue
            uri = local_uri(archive.directory)
            texts = [Path(name).read_text() for place, name in lists if place.rstrip("/") == uri]
            file = self._directory / f"local-{number}" / "Packages"
            file.parent.mkdir(exist_ok=True)
            replace_text(file, "\n".join(texts))
            self._local_versions.update(version for text in texts for version in _versions(text))
            self._places[f"file:{quote(str(file.parent.absolute()))}"] = uri
            files.append(file.absolute())
        return files

    def _take_lists(self) -> None:
        lists = self._directory / "lists"
        for path in lists.iterdir():
            if path.is_symlink():
                path.unlink()
        if self._distant:
            for path in self._mirror.lists_dir.iterdir():
                if path.is_file() and path.name != "lock":
                    (lists / path.name).symlink_to(path.absolute())

    def _plan(self, arguments: Sequence[str | Path]) -> InstallPlan:
        plan = self._ask(arguments)
        while twice := self._of_both(plan) - self._preferred:
            self._preferred |= twice
            with self._preferences.open("a") as file:
                file.writelines(_PREFERRED.format(name) for name in sorted(twice))
            plan = self._ask(arguments)
        return plan

    def _of_both(self, plan: InstallPlan) -> set[str]:
        """Packages that `plan` takes from elsewhere while an archive in a directory has the same version."""
        files = [p.filename for p in plan.packages if not p.uri.startswith(LOCAL)]
        return {name.partition("_")[0] for name in files if name.rpartition("_")[0] in self._local_versions}

    def _ask(self, arguments: Sequence[str | Path]) -> InstallPlan:
        nothing_downloaded = ["-o", f"Dir::Cache::archives={self._directory / 'none'}"]
        try:
            printed = self._apt_get(
                [*_UNLOCKED, *_STRONG_DIGESTS, *nothing_downloaded, "--print-uris", *arguments]
            )
        except ToolFailed as error:
            if DISK_FULL in error.message:
                raise
            unmet = _UNMET.search(error.output)
            raise Unsatisfiable(unmet[1] if unmet else "a package") from error
        removed = _REMOVED.search(printed)
        return InstallPlan(
            packages=[
                Package(self._place(uri), name, digest) for uri, name, _, digest in _URI.findall(printed)
            ],
            removed=[name.rstrip("*") for name in removed[1].split()] if removed else [],
        )

    def _place(self, uri: str) -> str:
        for seeming, real in self._places.items():
            if uri.startswith(f"{seeming}/"):
                return real + uri.removeprefix(seeming)
        return uri

    def _apt_get(self, arguments: Sequence[str | Path], timeout: float = 120) -> str:
        printed = run(["apt-get", *arguments], env=apt_environment(self._config), timeout=timeout)
        return printed.decode(errors="replace")


def _versions(packages: str) -> Iterator[str]:
    """Names and versions of a list of packages, as apt writes them in the names of .debs."""
    for stanza in packages.split("\n\n"):
        fields = dict(_IDENTITY.findall(stanza))
        if len(fields) == 2:
            yield f"{fields['Package']}_{fields['Version'].replace(':', '%3a')}"
