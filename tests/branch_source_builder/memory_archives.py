"""Archives in memory: a port's fake whose builds go as a test says."""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

from ci_utils.archive.port import Archives, Build, BuildState, PublishedSource
from ci_utils.compute.port import AptArchive
from ci_utils.errors import Conflict, NotFound, UploadRejected
from ci_utils.source_package.changes import read_changes

DESTINATION = "ppa:local/archive"


@dataclass
class MemoryArchives(Archives):
    """Every look at `builds` moves each of them one state on, up to `outcome[source]`."""

    pool: list[str] = field(default_factory=lambda: ["ppa:local/ci_pool-001", "ppa:local/ci_pool-002"])
    outcome: dict[str, tuple[BuildState, str]] = field(default_factory=dict)
    published: dict[str, dict[str, str]] = field(default_factory=dict)
    records: dict[str, list[Build]] = field(default_factory=dict)
    cleaning: set[str] = field(default_factory=set)
    cleaned: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    architectures: tuple[str, ...] = ("amd64",)
    stuck: bool = False

    def check(self) -> None:
        pass

    def list_pool(self) -> list[str]:
        return sorted(self.pool)

    def destination(self) -> str:
        return DESTINATION

    def upload(self, archive: str, changes: Path) -> None:
        upload = read_changes(changes.read_bytes(), changes.name)
        if upload.source in self.refused:
            raise UploadRejected(self.refused[upload.source])
        for file in upload.files:
            assert (changes.parent / file.name).is_file(), file.name
        records = self.records.setdefault(archive, [])
        for architecture in self.architectures:
            build = Build(
                f"{upload.source}-{architecture}",
                upload.source,
                upload.version,
                architecture,
                BuildState.NEEDS_BUILD,
            )
            if build.id not in {record.id for record in records}:
                records.append(build)

    def builds(self, archive: str) -> list[Build]:
        before = list(self.records.get(archive, []))
        if not self.stuck:
            self.records[archive] = [self._moved_on(build) for build in before]
        return before

    def _moved_on(self, build: Build) -> Build:
        if build.state is BuildState.NEEDS_BUILD:
            return replace(build, state=BuildState.BUILDING)
        if build.state is BuildState.BUILDING:
            state, reason = self.outcome.get(build.source, (BuildState.BUILT, ""))
            return replace(build, state=state, reason=reason)
        return build

    def cancel_builds(self, archive: str) -> None:
        self.records[archive] = [
            build if build.state.ended else replace(build, state=BuildState.CANCELLED)
            for build in self.records.get(archive, [])
        ]

    def build_log(self, archive: str, build_id: str) -> BinaryIO:
        for build in self.records.get(archive, []):
            if build.id == build_id and build.state is not BuildState.DEPENDENCY_WAIT:
                return io.BytesIO(f"log of {build.source} on {build.architecture}\n".encode())
        raise NotFound(f"there is no log of {build_id}")

    def sources(self, archive: str) -> list[PublishedSource]:
        return [PublishedSource(*item) for item in sorted(self.published.get(archive, {}).items())]

    def fetch_source(self, archive: str, source: str, directory: Path) -> Path:
        raise NotFound(f"there is no source {source} in {archive}")

    def copy(self, sources: Iterable[tuple[str, str]], *, origin: str, target: str) -> None:
        there = self.published.setdefault(target, {})
        wanted = dict(sources)
        for name, version in wanted.items():
            if there.get(name, "") > version:
                raise Conflict(f"{target} has {name} {there[name]} already, which is higher than {version}")
        there.update(wanted)

    def request_cleaning(self, archive: str) -> None:
        self.cleaning.add(archive)
        self.records.pop(archive, None)

    def is_clean(self, archive: str) -> bool:
        if archive in self.cleaning:
            self.cleaning.discard(archive)
            self.cleaned.append(archive)
            return False
        return not self.records.get(archive)

    def apt_archive(self, archive: str) -> AptArchive:
        raise NotFound(f"{archive} is not served")

    def unknown_binaries(self, names: Iterable[str], *, series: str) -> list[str]:
        return []
