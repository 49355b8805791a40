"""Archives of Launchpad, what is in them, and how it changes with time.

Time passes by `tick`: uploads are looked at, builds go on, what is pending is
published, and what was deleted is removed, each one tick after the other.
"""

from __future__ import annotations

import itertools
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from ci_utils.errors import UploadRejected
from tests.harness.launchpad.acceptance import Rejected, read_upload, refuse_known_versions
from tests.harness.launchpad.farm import Farm

ACTIVE = ("Pending", "Published")
UNFINISHED = ("Needs building", "Currently building", "Uploading build", "Cancelling build")


@dataclass
class Build:
    """A build record."""

    id: int
    source: str
    version: str
    architecture: str
    state: str = "Needs building"
    dependencies: str | None = None
    log: bytes | None = None


@dataclass
class Publication:
    """A source or, if it has a `build`, a binary package of one architecture."""

    id: int
    name: str
    version: str
    status: str = "Pending"
    created_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    removed_at: datetime | None = None
    files: tuple[Path, ...] = ()
    builds: list[Build] = field(default_factory=list)
    build: Build | None = None
    architecture: str = ""

    @property
    def active(self) -> bool:
        return self.status in ACTIVE


@dataclass
class Ppa:
    """An archive; publications are never forgotten."""

    owner: str
    name: str
    sources: list[Publication] = field(default_factory=list)
    binaries: list[Publication] = field(default_factory=list)

    @property
    def reference(self) -> str:
        return f"ppa:{self.owner}/{self.name}"

    def active(self) -> list[Publication]:
        return [p for p in (*self.sources, *self.binaries) if p.active]

    def builds(self) -> list[Build]:
        return [build for source in self.sources if source.active for build in source.builds]


class Launchpad:
    """All of it. `keyring` has the binary keys of those who may upload; `mails` goes to them."""

    def __init__(
        self, farm: Farm, *, owner: str, names: tuple[str, ...], series: str, keyring: bytes
    ) -> None:
        self.lock = threading.RLock()
        self.farm = farm
        self.series = series
        self.keyring = keyring
        self.ppas = {name: Ppa(owner, name) for name in names}
        self.owner = owner
        self.mails: list[str] = []
        self.frozen = False
        self._received: list[tuple[str, Path]] = []
        self._ids = itertools.count(1)

    def receive(self, incoming: str, directory: Path) -> None:
        """Take what an FTP session left; it is looked at with the next tick."""
        with self.lock:
            self._received.append((incoming, directory))

    def tick(self) -> None:
        """Let some time pass."""
        with self.lock:
            if self.frozen:
                return
            for ppa in self.ppas.values():
                self._publish(ppa)
                self._build(ppa)
            while self._received:
                incoming, directory = self._received.pop(0)
                try:
                    self._accept(incoming, directory)
                except (Rejected, UploadRejected) as rejection:
                    self.mails.append(str(rejection))

    def copy(self, origin: Ppa, target: Ppa, names: list[str]) -> None:
        """Copy the newest published sources with their binaries, all or none; `Rejected` with the reason."""
        with self.lock:
            chosen = [self._newest(origin, name) for name in names]
            for source in chosen:
                refuse_known_versions(
                    target.sources, source.name, source.version, "in the destination archive"
                )
                if any(build.state in UNFINISHED for build in source.builds):
                    raise Rejected(
                        f"{source.name} {source.version} in {self.series} (source has no binaries)"
                    )
            self.farm.copy(origin.reference, target.reference, [(s.name, s.version) for s in chosen])
            for source in chosen:
                self._add(target.sources, source)
                for binary in origin.binaries:
                    if binary.active and binary.build in source.builds:
                        self._add(target.binaries, binary)

    def put(
        self,
        name: str,
        source: str,
        version: str,
        *,
        status: str = "Published",
        removed: bool = False,
        build: str = "Successfully built",
        files: tuple[Path, ...] = (),
    ) -> Publication:
        """Have a source with a binary package of its name in the PPA `name`, without a way there."""
        ppa, removed_at = self.ppas[name], datetime.now(UTC) if removed else None
        built = Build(next(self._ids), source, version, self.farm.architectures[0], build)
        put = Publication(
            next(self._ids), source, version, status, removed_at=removed_at, files=files, builds=[built]
        )
        binary = Publication(
            next(self._ids), source, version, status, removed_at=removed_at, build=built,
            architecture=built.architecture,
        )  # fmt: skip
        with self.lock:
            ppa.sources.append(put)
            if build == "Successfully built":
                ppa.binaries.append(binary)
        return put

    def delete(self, ppa: Ppa, publication: Publication) -> None:
        """Delete a source with its binaries, or a binary."""
        with self.lock:
            if not publication.active:
                raise Rejected(f"Cannot delete publication in status {publication.status}")
            publication.status = "Deleted"
            for binary in ppa.binaries:
                if binary.active and binary.build in publication.builds:
                    binary.status = "Deleted"

    def cancel(self, ppa: Ppa, build: Build) -> None:
        """Cancel a build; one that runs is cancelled later."""
        with self.lock:
            if build.state == "Needs building":
                build.state = "Cancelled build"
                self.farm.cancel(ppa.reference, build)
            elif build.state == "Currently building":
                build.state = "Cancelling build"
                self.farm.cancel(ppa.reference, build)

    def retry(self, ppa: Ppa, build: Build) -> None:
        """Build again what failed."""
        with self.lock:
            if build.state in UNFINISHED or build.state == "Successfully built":
                raise Rejected("Build cannot be retried")
            build.state, build.dependencies, build.log = "Needs building", None, None
            self.farm.retry(ppa.reference, build)

    def _newest(self, ppa: Ppa, name: str) -> Publication:
        found = [source for source in ppa.sources if source.name == name and source.status == "Published"]
        if not found:
            raise Rejected(f"No such source package: '{name}'.")
        return found[-1]

    def _add(self, publications: list[Publication], one: Publication) -> None:
        publications.append(
            Publication(
                next(self._ids), one.name, one.version, files=one.files, builds=one.builds, build=one.build,
                architecture=one.architecture,
            )
        )  # fmt: skip

    def _accept(self, incoming: str, directory: Path) -> None:
        upload = read_upload(incoming, directory, self.keyring)
        ppa = self.ppas.get(upload.ppa)
        if ppa is None or upload.owner != ppa.owner:
            raise Rejected(f"Could not find a PPA named '{upload.ppa}' for '{upload.owner}'.")
        if upload.series != self.series:
            raise Rejected(f"Could not find suite '{upload.series}'.")
        refuse_known_versions(ppa.sources, upload.source, upload.version, "in this archive")
        for source in ppa.sources:
            if source.active and source.name == upload.source:
                source.status = "Superseded"
        builds = [
            Build(next(self._ids), upload.source, upload.version, architecture)
            for architecture in self.farm.architectures
        ]
        self.farm.start(ppa.reference, upload.changes, builds)
        ppa.sources.append(
            Publication(next(self._ids), upload.source, upload.version, files=upload.files, builds=builds)
        )

    def _build(self, ppa: Ppa) -> None:
        self.farm.work(ppa.reference, ppa.builds())
        for build in ppa.builds():
            known = {binary.name for binary in ppa.binaries if binary.build is build}
            if build.state == "Successfully built":
                for name in self.farm.binaries(ppa.reference, build):
                    if name not in known:
                        ppa.binaries.append(
                            Publication(
                                next(self._ids),
                                name,
                                build.version,
                                build=build,
                                architecture=build.architecture,
                            )
                        )

    def _publish(self, ppa: Ppa) -> None:
        everything = [*ppa.sources, *ppa.binaries]
        gone = [p for p in everything if not p.active and p.removed_at is None]
        if gone and (ppa.active() or self.farm.clean(ppa.reference)):
            for publication in gone:
                publication.removed_at = datetime.now(UTC)
        for publication in ppa.active():
            publication.status = "Published"
