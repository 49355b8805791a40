"""What apt would do to an image, worked out and fetched on this host.

apt's own solver runs on the image's package state (its dpkg status), the
mirror's lists and the archives of a ticket. The image itself needs no network,
no lists and no keys: it is given the verified .debs.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from debian.deb822 import Deb822
from debian.debian_support import Version

from ci_utils.apt.mirror import Mirror, apt_environment, package_name
from ci_utils.apt.resolver import Resolver, Unsatisfiable, local_uri, source_stanza
from ci_utils.commands import run
from ci_utils.compute.port import AptArchive
from ci_utils.errors import StageFailed, ToolFailed, Unavailable
from ci_utils.shared_files import share
from ci_utils.source_package.control import LONG_SPACE

#: apt's sentences about what is wrong, the more telling ones first.
COMPLAINTS = (
    re.compile(r"^E: (Unable to locate package .+|Package .+ has no installation candidate)$", re.MULTILINE),
    re.compile(r"^ ((?!satisfy:)\S+ : .*(?:Depends|Conflicts|Breaks|PreDepends): .+)$", re.MULTILINE),
    re.compile(r"^ satisfy:command-line : (.+)$", re.MULTILINE),
    re.compile(r"^E: (.+)$", re.MULTILINE),
)

#: Names, versions and architectures, as far as one must know them to tell packages apart.
_WORD = re.compile(r"[A-Za-z0-9.+:~-]{1,200}", re.ASCII)


@dataclass(frozen=True)
class ImagePackage:
    """A binary package to be installed, and its verified .deb, good as long as its resolver."""

    name: str
    version: str
    architecture: str
    sha256: str
    deb: Path


@dataclass(frozen=True)
class Resolution:
    """What apt would do: `install` in no certain order, `remove` by name."""

    install: Sequence[ImagePackage]
    remove: Sequence[str]


@dataclass(frozen=True)
class _SignedArchive:
    """An archive of a ticket as apt's sources name it."""

    archive: AptArchive
    keyring: Path

    @property
    def directory(self) -> Path | None:
        return self.archive.directory

    def stanza(self, series: str) -> str:
        """Of the archive's own suite, which is that of the image."""
        _, uri, suite, *components = self.archive.source_line.split()
        if self.directory:
            uri = local_uri(self.directory)
        return source_stanza(uri, suite, " ".join(components), self.keyring)


class ImageResolver(Resolver):
    """apt's solver for one image; made by `image_resolver`."""

    def __init__(
        self, mirror: Mirror, directory: Path, status: bytes, archives: Sequence[AptArchive]
    ) -> None:
        self._status_text = status.decode(errors="replace")
        (directory / "status").write_bytes(status)
        entries = []
        for number, archive in enumerate(archives):
            keyring = directory / f"archive-{number}.gpg"
            keyring.write_bytes(archive.key)
            entries.append(_SignedArchive(archive, keyring))
        super().__init__(mirror, directory, directory / "status", entries)
        try:
            self.refresh()
        except ToolFailed as error:
            raise Unavailable("the package lists of the ticket's archives cannot be read") from error

    def install(self, names: Iterable[str], *, remove: Iterable[str] = ()) -> Resolution:
        """Packages that installing `names` and purging `remove` takes, without recommended ones.

        Raises `StageFailed` with apt's reason, `InvalidRequest` for a name that is none.
        """
        wanted = [*(package_name(n) for n in names), *(f"{package_name(n)}-" for n in remove)]
        return self._resolve(["--purge", "install", *wanted])

    def bootstrap(self, names: Iterable[str]) -> Resolution:
        """Packages of a fresh root: the essential ones, apt, and `names` with what they depend on."""
        return self._resolve(["install", "?essential", "apt", *names])

    def satisfy(self, dependencies: Iterable[str]) -> Resolution:
        """Packages that satisfy all `dependencies` (each in the syntax of Depends)."""
        return self._resolve(["satisfy", *dependencies])

    def upgradable(self) -> list[str]:
        """Installed packages of which the ticket's archives have a higher version."""
        available = _stanzas(self._apt_cache(*self._without_mirror, "dumpavail"))
        installed = {s["Package"]: s["Version"] for s in installed_packages(self._status_text)}
        newer = {
            s["Package"]
            for s in available
            if s["Package"] in installed and Version(s["Version"]) > Version(installed[s["Package"]])
        }
        return sorted(newer)

    def write_repository(self, directory: Path, packages: Sequence[ImagePackage]) -> None:
        """Make `directory` a flat archive of `packages`, to be read as `deb [trusted=yes] file:DIR ./`."""
        directory.mkdir()
        for package in packages:
            share(package.deb, directory / package.deb.name)
        (directory / "Packages").write_text(self._index(packages))

    def _index(self, packages: Sequence[ImagePackage]) -> str:
        debs = {p.sha256: p.deb for p in packages}
        wanted = [f"{p.name}:{p.architecture}" for p in packages]
        found = {}
        # All versions of all archives are shown; the digest tells which one is here.
        for stanza in _stanzas(self._apt_cache("show", *wanted) if wanted else ""):
            if deb := debs.get(stanza.get("SHA256", "")):
                stanza["Filename"] = f"./{deb.name}"
                found[deb] = stanza.dump()
        return "\n".join(found.values())

    def _resolve(self, arguments: Sequence[str]) -> Resolution:
        try:
            plan = self._plan(arguments)
        except Unsatisfiable as error:
            output = error.__cause__.output if isinstance(error.__cause__, ToolFailed) else error.what
            raise StageFailed(complaint(output)) from None
        kept = self._directory / "debs"
        kept.mkdir(exist_ok=True)
        debs = [_kept(deb, kept) for deb in self.fetch(plan)]
        install = [_package(deb, p.digest) for deb, p in zip(debs, plan.packages, strict=True)]
        return Resolution(install, plan.removed)

    def _apt_cache(self, *arguments: str) -> str:
        return run(["apt-cache", *arguments], env=apt_environment(self._config)).decode(errors="replace")


@contextmanager
def image_resolver(
    mirror: Mirror, *, status: bytes, archives: Sequence[AptArchive] = ()
) -> Iterator[ImageResolver]:
    """apt's solver over the mirror and `archives` for an image with this dpkg status.

    The mirror's lists must have been fetched (`Mirror.refresh`). Raises
    `Unavailable` if an archive cannot be read.
    """
    with tempfile.TemporaryDirectory(prefix="uci-resolver-") as directory:
        yield ImageResolver(mirror, Path(directory), status, archives)


def _kept(deb: Path, directory: Path) -> Path:
    """The .deb in `directory`, where an earlier plan may have left it."""
    with suppress(FileExistsError):
        share(deb, directory / deb.name)
    return directory / deb.name


def installed_packages(status: str) -> list[Deb822]:
    """The stanzas of the packages that are installed, by a dpkg status.

    Programs that ran in an image can have written it: `StageFailed` unless
    each has a name, a version and an architecture that can be told from others.
    """
    damaged = StageFailed("the image's list of installed packages is damaged (/var/lib/dpkg/status)")
    try:
        installed = [s for s in _stanzas(status) if s.get("Status", "").endswith(" installed")]
    except ValueError:
        raise damaged from None
    for stanza in installed:
        if not all(
            _WORD.fullmatch(stanza.get(field, "")) for field in ("Package", "Version", "Architecture")
        ):
            raise damaged
    return installed


def complaint(output: str) -> str:
    """The one sentence of apt's output that says what is wrong."""
    for pattern in COMPLAINTS:
        if found := pattern.search(output):
            return " ".join(found[1].split()).rstrip(".")
    return "apt found no solution"


def _package(deb: Path, digest: str) -> ImagePackage:
    name, version, architecture = unquote(deb.name).removesuffix(".deb").split("_")
    return ImagePackage(name, version, architecture, digest.removeprefix("SHA256:"), deb)


def _stanzas(text: str) -> list[Deb822]:
    lines = LONG_SPACE.sub(" ", text).splitlines(keepends=True)
    return list(Deb822.iter_paragraphs(lines, use_apt_pkg=False))
