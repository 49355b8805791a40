"""Archives on this machine: signed apt archives in directories, built by the engine's own farm.

Specification: chapters "PPA Assigner", "Branch/Source Builder", "Lander". The
same operations that Launchpad offers for PPAs, with nothing but files.
"""

from __future__ import annotations

import os
import secrets
import shutil
import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from debian.debian_support import Version

from ci_utils.apt.mirror import Mirror, architecture, package_name
from ci_utils.archive.archive_tree import POOL_NAME, ArchiveTree
from ci_utils.archive.build_farm import BuildFarm
from ci_utils.archive.file_pool import Mismatch, pool_directory
from ci_utils.archive.index import BuildRow, SourceRow
from ci_utils.archive.package_builder import LOG, PackageBuilder
from ci_utils.archive.port import Archives, Build, BuildState, PublishedSource
from ci_utils.archive.source_stanza import source_row
from ci_utils.compute.port import AptArchive
from ci_utils.data_directory import require_writable
from ci_utils.errors import Conflict, InvalidRequest, NotFound, UploadRejected
from ci_utils.sandbox.limits import DEFAULT_LIMITS, Limits
from ci_utils.sandbox.trees import remove_tree
from ci_utils.source_package.changes import SourceChanges, read_changes
from ci_utils.source_package.control import MAX_BYTES, UploadFile
from ci_utils.source_package.dsc import check_files, in_directory

#: Sources of one ticket come one after the other; building starts when no more come.
SETTLE_SECONDS = 0.5
MIRROR_AGE_SECONDS = 3600


class LocalArchives(Archives):
    """The archives below `root`, built from `mirror`.

    `base_url` is where `root` is served: only `OWNER/NAME/{dists,pool,key.*}`
    may be. `limits` are of each build. `builders` builds run at once (default: half the processors).
    `cache` keeps build roots and layers; engines may share it (default: beside
    the mirror's lists).
    """

    def __init__(
        self,
        root: Path,
        mirror: Mirror,
        *,
        owner: str,
        destination: str,
        pool_size: int,
        base_url: str,
        build_timeout: float,
        limits: Limits = DEFAULT_LIMITS,
        builders: int | None = None,
        cache: Path | None = None,
    ) -> None:
        root = root.absolute()
        processors = len(os.sched_getaffinity(0))
        builders = builders or max(1, processors // 2)
        self._root = root
        self._mirror = mirror
        self._tree = ArchiveTree(root, owner=owner, series=mirror.series)
        self._index = self._tree.index
        self._destination = destination
        self._pool_size = pool_size
        self._base_url = base_url.rstrip("/")
        self._builder = PackageBuilder(
            self._tree,
            mirror,
            cache or mirror.directory / "build-roots",
            destination=self._tree.reference(destination),
            timeout=build_timeout,
            limits=limits,
            parallel=max(1, processors // builders),
        )
        self._farm = BuildFarm(
            self._tree.state / "farm.lock",
            self._index,
            lambda build, cancelled: self._builder.run(
                build, cancelled, stopping=lambda: self._farm.stopping
            ),
            builders=builders,
            when_idle=self._builder.tidy,
        )

    def close(self) -> None:
        """Stop building (it goes on at the next start) and end the key's agent."""
        self._farm.stop()
        self._tree.key.close()

    def check(self) -> None:
        require_writable(self._root)

    def list_pool(self) -> list[str]:
        """The archives of the pool; missing ones of `pool_size` are made first."""
        for number in range(1, self._pool_size + 1):
            self._tree.ensure(POOL_NAME.format(number))
        return self._tree.pool_names()

    def destination(self) -> str:
        return self._tree.ensure(self._destination)

    def upload(self, archive: str, changes: Path) -> None:
        pool = self._tree.pool(archive)
        with changes.open("rb") as stream:
            parsed = read_changes(stream.read(MAX_BYTES + 1), changes.name)
        control = check_files(parsed, in_directory(changes.parent))
        row = source_row(archive, control, (changes.parent / control.filename).read_bytes())
        with self._tree.locked():
            if not self._admit(archive, row):
                return
            try:
                for file in _source_files(parsed, row):
                    filename = f"{pool_directory(row.name)}/{file.name}"
                    pool.take(changes.parent / file.name, filename, size=file.size, sha256=file.sha256)
            except (Mismatch, Conflict) as error:
                raise UploadRejected(str(error)) from error
            self._index.add(archive, [row], builds=[_new_build(row)])
            self._tree.publish(archive)
        self._farm.wake()

    def builds(self, archive: str) -> list[Build]:
        self._tree.directory(archive)
        builds = self._index.builds(archive)
        if not all(BuildState(build.state).ended for build in builds):
            self._farm.wake()
        return [build.as_build() for build in builds]

    def cancel_builds(self, archive: str) -> None:
        self._tree.directory(archive)
        self._index.cancel_builds(archive)

    def build_log(self, archive: str, build_id: str) -> BinaryIO:
        if all(build.id != build_id for build in self._index.builds(archive)):
            raise NotFound(f"{archive} has no build {build_id[:80]}")
        try:
            return (self._builder.directory(build_id) / LOG).open("rb")
        except FileNotFoundError:
            raise NotFound("this build has not begun, so there is no log of it") from None

    def sources(self, archive: str) -> list[PublishedSource]:
        self._tree.directory(archive)
        binaries: dict[str, list[str]] = {}
        for binary in self._index.binaries(archive):
            binaries.setdefault(binary.source, []).append(binary.name)
        return [
            PublishedSource(source.name, source.version, binaries.get(source.name, []))
            for source in self._index.sources(archive)
        ]

    def versions(self, archive: str, names: Collection[str]) -> dict[str, str]:
        self._tree.directory(archive)
        return self._index.versions(archive, names)

    def fetch_source(self, archive: str, source: str, directory: Path) -> Path:
        pool = self._tree.pool(archive)
        rows = [row for row in self._index.sources(archive) if row.name == source]
        if not rows:
            raise NotFound(f"{archive} has no source package {source[:80]}")
        for filename in rows[0].files.splitlines():
            shutil.copyfile(pool.path(filename), directory / Path(filename).name)
        return directory / Path(rows[0].dsc).name

    def copy(self, sources: Iterable[tuple[str, str]], *, origin: str, target: str) -> None:
        there, here = self._tree.pool(origin), self._tree.pool(target)
        with self._tree.locked():
            rows = [row for pair in sources if (row := self._to_copy(pair, origin, target))]
            binaries = [b for b in self._index.binaries(origin) if b.source in {row.name for row in rows}]
            filenames = [name for row in rows for name in row.files.splitlines()]
            for filename in [*filenames, *(binary.filename for binary in binaries)]:
                here.link_from(there, filename)
            if rows:
                self._index.add(
                    target,
                    [replace(row, archive=target) for row in rows],
                    [replace(b, archive=target) for b in binaries],
                )
            # Even with nothing to add: the last attempt may have died before this.
            self._tree.publish(target)

    def request_cleaning(self, archive: str) -> None:
        self._tree.directory(archive)
        self._index.cancel_builds(archive)
        with self._tree.locked():
            ended = self._index.builds(archive)
            self._index.empty(archive)
            self._tree.publish(archive, grace=0)
        remaining = {build.id for build in self._index.builds(archive)}
        for build in ended:
            if build.id not in remaining:
                remove_tree(self._builder.directory(build.id))
        self._farm.wake()

    def is_clean(self, archive: str) -> bool:
        self._tree.directory(archive)
        if self._index.builds(archive):
            self._index.forget_orphans(archive)  # those that still ran when the cleaning was asked for
            self._farm.wake()
        return not self._index.builds(archive) and not self._index.sources(archive)

    def apt_archive(self, archive: str) -> AptArchive:
        directory = self._tree.directory(archive)
        url = f"{self._base_url}/{directory.parent.name}/{directory.name}"
        return AptArchive(
            f"deb {url} {self._mirror.series} main", (directory / "key.gpg").read_bytes(), directory
        )

    def unknown_binaries(self, names: Iterable[str], *, series: str) -> list[str]:
        wanted = [package_name(name) for name in dict.fromkeys(names)]
        if series != self._mirror.series:
            raise InvalidRequest(f"this engine builds for {self._mirror.series}, not for {series[:40]}")
        if not wanted:
            return []
        published = {binary.name for binary in self._index.binaries(self.destination())}
        rest = [name for name in wanted if name not in published]
        if rest:
            self._mirror.refresh(MIRROR_AGE_SECONDS)
        unknown = self._mirror.knows_binaries(rest)
        return [name for name in rest if name in unknown]

    def _admit(self, archive: str, row: SourceRow) -> bool:
        """Whether to take this upload; False if exactly it is there, `UploadRejected` if it must not be."""
        present = self._index.source(archive, row.name, row.version)
        if present and present.dsc_sha256 == row.dsc_sha256:
            return False
        here = self._index.versions_seen(archive, row.name)
        published = self._index.versions_seen(self.destination_reference, row.name)
        # A cleaned archive takes what it had again, but a version stands for one content for ever.
        if here.get(row.version, row.dsc_sha256) != row.dsc_sha256:
            raise _not_higher(row, row.version, "this archive had before with other contents")
        for source in self._index.sources(archive):
            if source.name == row.name and Version(row.version) <= Version(source.version):
                raise _not_higher(row, source.version, "this archive has")
        highest = max(published, key=Version, default=None)
        if highest is not None and Version(row.version) <= Version(highest):
            raise _not_higher(row, highest, "the destination had before")
        return True

    @property
    def destination_reference(self) -> str:
        """The destination's reference, whether it was made yet or not."""
        return self._tree.reference(self._destination)

    def _to_copy(self, pair: tuple[str, str], origin: str, target: str) -> SourceRow | None:
        name, version = pair
        row = self._index.source(origin, name, version)
        present = next((s for s in self._index.sources(target) if s.name == name), None)
        if present and Version(present.version) > Version(version):
            raise Conflict(f"{target} has {name} {present.version}, which is higher than {version}")
        if present and present.version == version and (not row or row.dsc_sha256 == present.dsc_sha256):
            return None
        if present and present.version == version:
            raise Conflict(f"{target} has another {name} {version}; give it a higher version")
        if row is None:
            raise NotFound(f"{origin} has no source {name} {version}")
        builds = [b for b in self._index.builds(origin) if (b.source, b.version) == pair]
        if any(BuildState(build.state) is not BuildState.BUILT for build in builds):
            raise Conflict(f"{name} {version} is not built in {origin}, so it cannot be published")
        return row


def _not_higher(row: SourceRow, than: str, where: str) -> UploadRejected:
    return UploadRejected(
        f"{row.name} {row.version} is not higher than {than}, which {where}; give it a higher version"
    )


def _source_files(parsed: SourceChanges, row: SourceRow) -> Sequence[UploadFile]:
    published = {Path(name).name for name in row.files.splitlines()}
    return [file for file in parsed.files if file.name in published]


def _new_build(row: SourceRow) -> BuildRow:
    return BuildRow(
        id=secrets.token_hex(8),
        archive=row.archive,
        source=row.name,
        version=row.version,
        architecture=architecture(),
        state=BuildState.NEEDS_BUILD.value,
        ready_at=time.time() + SETTLE_SECONDS,
    )
