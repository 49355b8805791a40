"""What builds for the server: the engine's own farm for real, or a script of a test."""

from __future__ import annotations

import gzip
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from ci_utils.archive.local import LocalArchives
from ci_utils.archive.port import BuildState, PublishedSource
from ci_utils.errors import NotFound


class BuildLike(Protocol):
    """A build record, which a farm moves on."""

    source: str
    version: str
    architecture: str
    state: str
    dependencies: str | None
    log: bytes | None


class Farm(Protocol):
    """Builds what the server took, and keeps what apt reads; archives are named by their references."""

    @property
    def architectures(self) -> tuple[str, ...]: ...

    @property
    def packages(self) -> Path | None:
        """Below it is OWNER/NAME for every archive; None if nothing can be installed from it."""
        ...

    def start(self, archive: str, changes: Path, builds: Sequence[BuildLike]) -> None: ...
    def work(self, archive: str, builds: Sequence[BuildLike]) -> None: ...
    def binaries(self, archive: str, build: BuildLike) -> Sequence[str]: ...
    def cancel(self, archive: str, build: BuildLike) -> None: ...
    def retry(self, archive: str, build: BuildLike) -> None: ...
    def copy(self, origin: str, target: str, pairs: Sequence[tuple[str, str]]) -> None: ...
    def clean(self, archive: str) -> bool: ...
    def key(self, archive: str) -> str: ...


class RealFarm:
    """The farm of the local archives: real builds of real packages, for one architecture."""

    def __init__(self, archives: LocalArchives, architecture: str) -> None:
        directory = archives.apt_archive(archives.destination()).directory
        assert directory
        archives.list_pool()
        self._archives = archives
        self.packages: Path = directory.parent.parent
        self.architectures = (architecture,)

    def published(self) -> list[PublishedSource]:
        """What users find in the destination."""
        return self._archives.sources(self._archives.destination())

    def start(self, archive: str, changes: Path, builds: Sequence[BuildLike]) -> None:
        self._archives.upload(archive, changes)

    def work(self, archive: str, builds: Sequence[BuildLike]) -> None:
        """States of both have the same names; Launchpad tells no reasons, but what is missing to build."""
        if not builds:
            return
        now = {(build.source, build.version): build for build in self._archives.builds(archive)}
        for build in builds:
            local = now.get((build.source, build.version))
            if local is None or build.state in (local.state.value, "Cancelled build"):
                continue
            if build.state == "Cancelling build" and not local.state.ended:
                continue
            build.state = local.state.value
            needs = re.search(r" needs (.*) to build", local.reason)
            build.dependencies = needs[1] if needs else None
            build.log = self._log(archive, local.id) if local.state.ended else None

    def binaries(self, archive: str, build: BuildLike) -> Sequence[str]:
        sources = self._archives.sources(archive)
        return next((s.binaries for s in sources if (s.name, s.version) == (build.source, build.version)), ())

    def cancel(self, archive: str, build: BuildLike) -> None:
        self._archives.cancel_builds(archive)

    def retry(self, archive: str, build: BuildLike) -> None:
        """The local farm tries nothing again by itself, so its record is set back."""
        for local in self._archives.builds(archive):
            if (local.source, local.version) == (build.source, build.version):
                self._archives._index.move_build(local.id, local.state, BuildState.NEEDS_BUILD)

    def copy(self, origin: str, target: str, pairs: Sequence[tuple[str, str]]) -> None:
        self._archives.copy(pairs, origin=origin, target=target)

    def clean(self, archive: str) -> bool:
        self._archives.request_cleaning(archive)
        return self._archives.is_clean(archive)

    def key(self, archive: str) -> str:
        owner, _, name = archive.removeprefix("ppa:").partition("/")
        return (self.packages / owner / name / "key.asc").read_text()

    def _log(self, archive: str, build_id: str) -> bytes | None:
        try:
            with self._archives.build_log(archive, build_id) as log:
                return gzip.compress(log.read())
        except NotFound:
            return None


@dataclass
class ScriptedFarm:
    """Moves a build on by one state with every tick, along `course`: by source, or by SOURCE/ARCHITECTURE."""

    architectures: tuple[str, ...] = ("amd64",)
    course: dict[str, list[str]] = field(default_factory=dict)
    needs: dict[str, str] = field(default_factory=dict)
    packages: Path | None = None
    signing_key: str = "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\na2V5\n-----END PGP PUBLIC KEY BLOCK-----\n"

    def start(self, archive: str, changes: Path, builds: Sequence[BuildLike]) -> None:
        pass

    def work(self, archive: str, builds: Sequence[BuildLike]) -> None:
        for build in builds:
            course = self._course(build)
            if build.state == "Cancelling build":
                build.state = "Cancelled build"
            elif build.state == "Needs building" and course:
                build.state = "Currently building"
            elif build.state == "Currently building" and course:
                build.state = course.pop(0)
                build.dependencies = (
                    self.needs.get(build.source) if build.state == "Dependency wait" else None
                )
                build.log = gzip.compress(f"log of {build.source} on {build.architecture}\n".encode())

    def binaries(self, archive: str, build: BuildLike) -> Sequence[str]:
        return [build.source]

    def cancel(self, archive: str, build: BuildLike) -> None:
        pass

    def retry(self, archive: str, build: BuildLike) -> None:
        pass

    def copy(self, origin: str, target: str, pairs: Sequence[tuple[str, str]]) -> None:
        pass

    def clean(self, archive: str) -> bool:
        return True

    def key(self, archive: str) -> str:
        return self.signing_key

    def _course(self, build: BuildLike) -> list[str]:
        name = f"{build.source}/{build.architecture}"
        return self.course.setdefault(name, list(self.course.get(build.source, ["Successfully built"])))
