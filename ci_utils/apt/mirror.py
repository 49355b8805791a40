"""A private apt, configured from the host's but writing nothing there.

One directory holds the configuration, the package lists (binary and source)
and the downloaded packages of one series; every process of the engine on this
machine may share it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from ci_utils.apt.sources import AptSource, host_sources, mirror_sources, sources_text
from ci_utils.commands import run
from ci_utils.errors import InvalidRequest, NotFound, TimedOut, ToolFailed, Unavailable

PACKAGE_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]+")
DOWNLOAD_SECONDS = 900
#: What the host's administrator said about reaching mirrors.
HOST_OPTIONS = re.compile(
    r"Acquire::(?:(?:http|https)::.+|Check-Valid-Until|Check-Date|Retries|ForceIPv[46]) \".*\";"
)


class Mirror:
    """The mirror of one series as apt sees it.

    `cache` is a directory of the engine; `url` a mirror, or empty for the apt
    sources of this host. Call `refresh` before the first use.
    """

    def __init__(self, cache: Path, series: str, url: str = "") -> None:
        self.series = series
        self.directory = cache / series
        self._url = url
        self._configured = False

    @property
    def lists_dir(self) -> Path:
        """Package lists, as /var/lib/apt/lists."""
        return self.directory / "lists"

    @property
    def debs_dir(self) -> Path:
        """Downloaded .debs from the mirror, as /var/cache/apt/archives; shared by all builds and images."""
        return self.directory / "archives"

    def sources(self) -> list[AptSource]:
        """The suites that this mirror is made of."""
        return mirror_sources(self._url, self.series) if self._url else host_sources(self.series)

    def sources_text(self, *, source_too: bool = False) -> str:
        """What to write into a root's /etc/apt/sources.list.d/NAME.sources (deb822, keys included)."""
        return sources_text(self.sources(), source_too=source_too, embed_keys=True)

    def refresh(self, max_age_seconds: float = 3600) -> None:
        """Fetch the package lists unless they are younger than `max_age_seconds`.

        Downloaded packages that the mirror has no more are deleted then.
        Raises `Unavailable` if the mirror does not answer, `ConfigurationError`
        if there is no mirror for the series.
        """
        self.configure()
        with self.locked():
            if self._age() < max_age_seconds:
                return
            try:
                self.apt_get("-qq", "-o", "APT::Update::Error-Mode=any", "update", timeout=DOWNLOAD_SECONDS)
            except (ToolFailed, TimedOut) as error:
                raise Unavailable(
                    f"the package lists of {self.series} cannot be fetched from the mirror"
                ) from error
            with suppress(ToolFailed, TimedOut):  # the lists are there all the same
                self.apt_get("-qq", "autoclean")
            self._stamp.touch()

    def fingerprint(self) -> str:
        """Changes exactly when the mirror published something new (or other mirrors were set)."""
        digest = hashlib.sha256(self.sources_text().encode())
        for release in sorted(self.lists_dir.glob("*Release")):
            digest.update(release.read_bytes())
        return digest.hexdigest()[:16]

    def knows_binaries(self, names: Iterable[str]) -> set[str]:
        """Those of `names` that no binary package of the series has.

        A name with an architecture or version (`foo:amd64`, `foo=1.0`) is an `InvalidRequest`.
        """
        wanted = {package_name(name) for name in names}
        return wanted - set(self.apt_cache("--no-all-names", "pkgnames").split()) if wanted else set()

    def fetch_source(self, name: str, directory: Path) -> Path:
        """Download a source package, verified by apt, into `directory`; the path of its .dsc.

        Raises `NotFound` if the series has no such source.
        """
        name = package_name(name)
        with tempfile.TemporaryDirectory(dir=directory) as scratch:
            try:
                self.apt_get(
                    "-qq", "--only-source", "--download-only", "source", name,
                    cwd=Path(scratch), timeout=DOWNLOAD_SECONDS,
                )  # fmt: skip
            except ToolFailed as error:
                if "Unable to find a source package" in error.output:
                    raise NotFound(f"{self.series} has no source package {name}") from None
                raise Unavailable(f"the source of {name} cannot be fetched from the mirror") from error
            files = [path.rename(directory / path.name) for path in Path(scratch).iterdir()]
        return next(path for path in files if path.suffix == ".dsc")

    def apt_get(self, *arguments: str | Path, cwd: Path | None = None, timeout: float = 120) -> str:
        """Run apt-get on this mirror's state; what it printed."""
        argv = ["apt-get", *arguments]
        return run(argv, env=self.environment(), cwd=cwd, timeout=timeout).decode(errors="replace")

    def apt_cache(self, *arguments: str | Path) -> str:
        """Run apt-cache on this mirror's state; what it printed."""
        return run(["apt-cache", *arguments], env=self.environment()).decode(errors="replace")

    def environment(self) -> dict[str, str]:
        """The environment in which apt's tools see this mirror and nothing of the host's configuration."""
        self.configure()
        return apt_environment(self.directory / "apt.conf")

    def configure(self) -> None:
        """Write the configuration; apt's tools need it before anything else."""
        if self._configured:
            return
        for name in ("lists/partial", "archives/partial", "parts", "preferences"):
            (self.directory / name).mkdir(parents=True, exist_ok=True)
        (self.directory / "status").touch()
        text = sources_text(self.sources(), source_too=True, embed_keys=False)
        sources = self.directory / "parts" / "mirror.sources"
        if not sources.exists() or sources.read_text() != text:
            replace_text(sources, text)
            self._stamp.unlink(missing_ok=True)
        replace_text(self.directory / "apt.conf", "\n".join(self.apt_options()) + "\n")
        self._configured = True

    def apt_options(self, overrides: Mapping[str, Path | str] = {}) -> list[str]:
        """Lines of apt.conf; `overrides` replaces options by name."""
        here = self.directory
        options: dict[str, Path | str] = {
            "Dir::Etc": here,
            "Dir::Etc::main": "/dev/null",
            "Dir::Etc::parts": "/dev/null",
            "Dir::Etc::sourcelist": "/dev/null",
            "Dir::Etc::sourceparts": here / "parts",
            "Dir::Etc::preferences": "/dev/null",
            "Dir::Etc::preferencesparts": here / "preferences",
            "Dir::Etc::trusted": "/etc/apt/trusted.gpg",
            "Dir::Etc::trustedparts": "/etc/apt/trusted.gpg.d",
            "Dir::State": here,
            "Dir::State::status": here / "status",
            "Dir::State::lists": here / "lists",
            "Dir::State::extended_states": here / "extended_states",
            "Dir::Cache": here,
            "Dir::Cache::archives": here / "archives",
            "Dir::Log": "/dev/null",
            "APT::Sandbox::User": "root",
            "APT::Get::Assume-Yes": "true",
            "APT::Install-Recommends": "false",
            "APT::Architecture": architecture(),
            "Acquire::Languages": "none",
            **overrides,
        }
        lines = [f'{name} "{value}";' for name, value in options.items()]
        return [*host_options(), f'APT::Architectures {{ "{architecture()}"; }};', *lines]

    @property
    def _stamp(self) -> Path:
        return self.directory / "refreshed"

    def _age(self) -> float:
        try:
            return time.time() - self._stamp.stat().st_mtime
        except FileNotFoundError:
            return float("inf")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes and threads from changing the lists and the downloaded packages."""
        with (self.directory / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def package_name(name: str) -> str:
    """The name itself if it is a plain package name, else `InvalidRequest`."""
    if not PACKAGE_NAME.fullmatch(name):
        raise InvalidRequest(
            f"{name[:80]!r} is not a package name; give the name alone, without architecture or version"
        )
    return name


def architecture() -> str:
    """The architecture of this machine as Debian names it."""
    global _architecture  # noqa: PLW0603 -- a fact of the machine, asked once
    _architecture = _architecture or run(["dpkg", "--print-architecture"]).decode().strip()
    return _architecture


_architecture = ""


def apt_environment(config: Path) -> dict[str, str]:
    """An environment for apt's tools that read only `config`."""
    path = os.environ.get("PATH", os.defpath)
    return {"PATH": path, "LC_ALL": "C.UTF-8", "APT_CONFIG": str(config)} | proxy_environment()


def proxy_environment() -> dict[str, str]:
    """The variables that name the proxies of this host."""
    return {name: value for name, value in os.environ.items() if name.lower().endswith("_proxy")}


def replace_text(path: Path, text: str) -> None:
    """Write a file so that readers see the old or the new text, never a part."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    fresh.write_text(text)
    fresh.rename(path)


def host_options() -> list[str]:
    """Lines of apt.conf by which this host reaches its mirrors (proxies and the like)."""
    return HOST_OPTIONS.findall(run(["apt-config", "dump"]).decode(errors="replace"))
