"""What apt would do to a root file system, worked out and fetched on this host.

apt's own solver runs on the root's package state (its dpkg status), the
mirror's lists and the archives of a ticket. The root itself needs no network,
no lists and no keys: it is given the verified .debs.
"""

from __future__ import annotations

import fcntl
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from debian.deb822 import Deb822
from debian.debian_support import Version

from ci_utils.apt.mirror import DOWNLOAD_SECONDS, Mirror, apt_environment, package_name
from ci_utils.commands import run
from ci_utils.compute.port import AptArchive
from ci_utils.errors import StageFailed, ToolFailed, Unavailable

FETCH_LINE = re.compile(r"'(?P<uri>[^']+)' (?P<file>\S+\.deb) \d+")
REMOVE_LINE = re.compile(r"^(?:Remv|Purg) (\S+) ", re.MULTILINE)
#: apt's sentences about what is wrong, the more telling ones first.
COMPLAINTS = (
    re.compile(r"^E: (Unable to locate package .+|Package .+ has no installation candidate)$", re.MULTILINE),
    re.compile(r"^ ((?!satisfy:)\S+ : .*(?:Depends|Conflicts|Breaks|PreDepends): .+)$", re.MULTILINE),
    re.compile(r"^ satisfy:command-line : (.+)$", re.MULTILINE),
    re.compile(r"^(WARNING: The following essential packages will be removed\.)", re.MULTILINE),
    re.compile(r"^E: (.+)$", re.MULTILINE),
)


@dataclass(frozen=True)
class Package:
    """A binary package to be installed, and the verified .deb of it."""

    name: str
    version: str
    architecture: str
    deb: Path


@dataclass(frozen=True)
class Resolution:
    """What apt would do: `install` in no certain order, `remove` by name."""

    install: Sequence[Package]
    remove: Sequence[str]


class Resolver:
    """apt's solver for one root; made by `resolver`."""

    def __init__(
        self, directory: Path, mirror: Mirror, status: bytes, archives: Sequence[AptArchive]
    ) -> None:
        self._directory = directory
        self._mirror = mirror
        self._status = status
        (directory / "status").write_bytes(status)
        for name in ("lists/partial", "archives/partial", "parts"):
            (directory / name).mkdir(parents=True)
        for path in mirror.lists_dir.iterdir():
            if path.is_file() and path.name != "lock":
                (directory / "lists" / path.name).symlink_to(path)
        (directory / "parts" / "mirror.sources").write_text(mirror.sources_text())
        lines = [self._source_line(number, archive) for number, archive in enumerate(archives)]
        self._archives_list = directory / "parts" / "archives.list"
        self._archives_list.write_text("".join(f"{line}\n" for line in lines))
        self._write_configuration()
        if archives:
            self._update_archives()

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
        """Installed packages of which the archives have a higher version."""
        only = ["-o", f"Dir::Etc::sourcelist={self._archives_list}", "-o", "Dir::Etc::sourceparts=/dev/null"]
        available = self._stanzas(self._run("apt-cache", *only, "dumpavail"))
        installed = {
            s["Package"]: s["Version"] for s in self._stanzas(self._status.decode()) if is_installed(s)
        }
        return sorted(
            s["Package"]
            for s in available
            if s["Package"] in installed and Version(s["Version"]) > Version(installed[s["Package"]])
        )

    def index(self, packages: Iterable[Package]) -> str:
        """A Packages index of `packages`, to lie in the directory that holds their .debs."""
        debs = {(p.name, p.version, p.architecture): p.deb for p in packages}
        wanted = [f"{name}:{architecture}={version}" for name, version, architecture in debs]
        found = {}
        for stanza in self._stanzas(self._run("apt-cache", "show", *wanted) if wanted else ""):
            # A version that several archives have is shown once for each of them.
            identity = (stanza["Package"], stanza["Version"], stanza["Architecture"])
            if identity in debs:
                stanza["Filename"] = f"./{debs[identity].name}"
                found[identity] = stanza.dump()
        return "\n".join(found.values())

    def _resolve(self, arguments: Sequence[str]) -> Resolution:
        try:
            plan = self._run("apt-get", "--simulate", *arguments)
        except ToolFailed as error:
            raise StageFailed(complaint(error.output)) from None
        fetch = self._run("apt-get", "-qq", "--print-uris", *arguments)
        lines = [match.groupdict() for match in FETCH_LINE.finditer(fetch)]
        if any(urlsplit(line["uri"]).scheme != "file" for line in lines):
            self._download(arguments)
        packages = [self._package(line["uri"], line["file"]) for line in lines]
        return Resolution(packages, REMOVE_LINE.findall(plan))

    def _download(self, arguments: Sequence[str]) -> None:
        debs = self._mirror.debs_dir
        with (debs / "lock.resolver").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            try:
                self._run(
                    "apt-get", "-qq", "-o", f"Dir::Cache::archives={debs}", "-o", "Debug::NoLocking=true",
                    "--download-only", *arguments, timeout=DOWNLOAD_SECONDS,
                )  # fmt: skip
            except ToolFailed as error:
                raise Unavailable("packages cannot be fetched from the mirror") from error

    def _package(self, uri: str, file: str) -> Package:
        name, version, architecture = unquote(file).removesuffix(".deb").split("_")
        address = urlsplit(uri)
        deb = Path(unquote(address.path)) if address.scheme == "file" else self._mirror.debs_dir / file
        return Package(name, version, architecture, deb)

    def _source_line(self, number: int, archive: AptArchive) -> str:
        key = self._directory / f"archive-{number}.gpg"
        key.write_bytes(archive.key)
        kind, uri, *rest = archive.source_line.split()
        if archive.directory:
            uri = f"file:{quote(str(archive.directory.absolute()))}"
        return f"{kind} [signed-by={key}] {uri} {' '.join(rest)}"

    def _write_configuration(self) -> None:
        here = self._directory
        overrides = {
            "Dir::State": here,
            "Dir::State::status": here / "status",
            "Dir::State::lists": here / "lists",
            "Dir::State::extended_states": here / "extended_states",
            "Dir::Etc::sourceparts": here / "parts",
            "Dir::Cache": here,
            "Dir::Cache::archives": here / "archives",
        }
        (here / "apt.conf").write_text("\n".join(self._mirror.apt_options(overrides)) + "\n")

    def _update_archives(self) -> None:
        only = ["-o", f"Dir::Etc::sourcelist={self._archives_list}", "-o", "Dir::Etc::sourceparts=/dev/null"]
        strict = ["-o", "APT::Get::List-Cleanup=false", "-o", "APT::Update::Error-Mode=any"]
        try:
            self._run("apt-get", "-qq", *only, *strict, "update", timeout=DOWNLOAD_SECONDS)
        except ToolFailed as error:
            raise Unavailable("the package lists of the ticket's archives cannot be read") from error

    def _run(self, *argv: str, timeout: float = 120) -> str:
        return run(argv, env=apt_environment(self._directory / "apt.conf"), timeout=timeout).decode()

    @staticmethod
    def _stanzas(text: str) -> list[Deb822]:
        return list(Deb822.iter_paragraphs(text.splitlines(keepends=True), use_apt_pkg=False))


def write_repository(directory: Path, resolver: Resolver, packages: Sequence[Package]) -> None:
    """Make `directory` a flat archive of `packages`, to be read as `deb [trusted=yes] file:DIR ./`."""
    directory.mkdir()
    for package in packages:
        place(package.deb, directory / package.deb.name)
    (directory / "Packages").write_text(resolver.index(packages))


def place(source: Path, target: Path) -> None:
    """Put a file that nobody changes any more into another directory, by a link if it can be."""
    try:
        target.hardlink_to(source)
    except OSError:
        shutil.copyfile(source, target)


@contextmanager
def resolver(mirror: Mirror, *, status: bytes, archives: Sequence[AptArchive] = ()) -> Iterator[Resolver]:
    """apt's solver over the mirror and `archives` for a root with this dpkg status.

    The mirror's lists must have been fetched (`Mirror.refresh`). Raises
    `Unavailable` if an archive cannot be read.
    """
    with tempfile.TemporaryDirectory(prefix="uci-resolver-") as directory:
        yield Resolver(Path(directory), mirror, status, archives)


def is_installed(stanza: Deb822) -> bool:
    """Whether a stanza of a dpkg status is of a package that is installed."""
    return bool(stanza.get("Status", "").endswith(" installed"))


def complaint(output: str) -> str:
    """The one sentence of apt's output that says what is wrong."""
    for pattern in COMPLAINTS:
        if found := pattern.search(output):
            return " ".join(found[1].split()).rstrip(".")
    return "apt found no solution"
