"""Takes one build from its record to its packages in the archive."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from ci_utils.apt.mirror import Mirror
from ci_utils.apt.resolver import InstallPlan, Resolver, Unsatisfiable
from ci_utils.archive.archive_tree import ArchiveTree
from ci_utils.archive.build_farm import DependenciesMissing
from ci_utils.archive.build_log import BuildLog
from ci_utils.archive.build_root import BuildRoot, current_root
from ci_utils.archive.built_packages import BuildResults, BuiltPackage, read_results
from ci_utils.archive.dependency_layer import dependency_layer, forget_old_layers
from ci_utils.archive.file_pool import Mismatch, pool_directory
from ci_utils.archive.index import BinaryRow, BuildRow
from ci_utils.archive.package_build import SourceFiles, build_package
from ci_utils.archive.port import BuildState
from ci_utils.errors import Cancelled, CIError, Conflict, StageFailed, TimedOut, ToolFailed, Unavailable
from ci_utils.retries import retried
from ci_utils.sandbox.limits import Limits
from ci_utils.sandbox.trees import remove_tree

LOG = "log"
Check = Callable[[], bool]

logger = logging.getLogger(__name__)


class PackageBuilder:
    """Builds for the archives of `tree`; `cache` keeps roots and layers between builds."""

    def __init__(
        self,
        tree: ArchiveTree,
        mirror: Mirror,
        cache: Path,
        *,
        destination: str,
        timeout: float,
        limits: Limits,
        parallel: int,
    ) -> None:
        self._tree = tree
        self._mirror = mirror
        self._cache = cache
        self._destination = destination
        self._timeout = timeout
        self._limits = limits
        self._parallel = parallel
        self._preparing = threading.Lock()
        self._root: BuildRoot | None = None

    def directory(self, build_id: str) -> Path:
        """Where the log of a build and what else is kept of it lie."""
        return self._tree.state / "builds" / build_id

    def tidy(self) -> None:
        """Let go of the root, so that the next build may take a newer one, and of what builds left
        whose record is gone; none may be running.
        """
        if self._root:
            self._root.release()
            self._root = None
        kept = list(self.directory("").glob("*"))
        known = self._tree.index.build_ids()
        for directory in kept:
            if directory.name not in known:
                remove_tree(directory)

    def run(self, build: BuildRow, cancelled: Check, *, stopping: Check) -> None:
        """Do a build and record how it ended; raises `DependenciesMissing` if it cannot start."""
        directory = self.directory(build.id)
        remove_tree(directory / "work")
        (directory / "work").mkdir(parents=True)
        with BuildLog(directory / LOG) as log:
            log.begin(
                build.source, build.version,
                architecture=build.architecture, distribution=self._mirror.series,
            )  # fmt: skip
            try:
                self._build(build, directory, log, cancelled)
            except Cancelled as error:
                log.end("cancelled", error.message)
                self._record_cancelled(build, stopping=stopping())
            except (StageFailed, TimedOut) as error:
                self._record_failure(build, log, error, "attempted")
            except CIError as error:
                self._record_failure(build, log, error, "failed")
            finally:
                remove_tree(directory / "work")

    def _build(self, build: BuildRow, directory: Path, log: BuildLog, cancelled: Check) -> None:
        work = directory / "work"
        files = self._take_source(build, work / "source")
        log.heading("Chroot", "chroot")
        root = self._current_root(log, cancelled)
        log.heading("Install package build dependencies", "install-deps")
        layers = self._layers(build, files, root, log, cancelled)
        log.heading("Build", "build")
        results = build_package(
            files, [*layers, root.path], work,
            log=log.stream, parallel=self._parallel,
            limits=self._limits, timeout=self._timeout, cancelled=cancelled,
        )  # fmt: skip
        self._tree.index.move_build(build.id, BuildState.BUILDING, BuildState.UPLOADING)
        built = read_results(
            results, root.path, limits=self._limits,
            source=build.source, version=build.version, architecture=build.architecture,
        )  # fmt: skip
        (directory / built.buildinfo.name).write_bytes(built.buildinfo.read_bytes())
        self._publish(build, built)
        log.end("successful")
        self._tree.index.move_build(build.id, BuildState.UPLOADING, BuildState.BUILT)

    def _take_source(self, build: BuildRow, directory: Path) -> SourceFiles:
        """The source's files, safe from being cleaned away, with nothing published of it yet."""
        index = self._tree.index
        with self._tree.locked():
            source = index.source(build.archive, build.source, build.version)
            if source is None:
                raise Cancelled("the source has left the archive")
            # If the engine died just before it could say that a build was done, it is done again.
            if index.forget_binaries(build.archive, build.source):
                self._tree.publish(build.archive, grace=0)
            pool = self._tree.pool(build.archive)
            others = [pool.path(name) for name in source.files.splitlines() if name != source.dsc]
            return SourceFiles.gather(pool.path(source.dsc), others, directory)

    def _current_root(self, log: BuildLog, cancelled: Check) -> BuildRoot:
        with self._preparing:
            with suppress(Unavailable):  # an old list serves; without any, the next step says so
                self._mirror.refresh()
            if self._root is None:
                self._root = current_root(self._cache, self._mirror, log=log.stream, cancelled=cancelled)
                forget_old_layers(self._root)
            log.line(f"Root {self._root.id} of {self._mirror.series}")
            return self._root

    def _layers(
        self, build: BuildRow, files: SourceFiles, root: BuildRoot, log: BuildLog, cancelled: Check
    ) -> list[Path]:
        with self._preparing:
            return retried(lambda: self._resolved_layers(build, files, root, log, cancelled))

    def _resolved_layers(
        self, build: BuildRow, files: SourceFiles, root: BuildRoot, log: BuildLog, cancelled: Check
    ) -> list[Path]:
        resolver = self._resolver(build.archive, root)
        try:
            plan = resolver.build_dependencies(files.dsc)
        except Unsatisfiable as error:
            log.line(f"{error.what} is not available")
            raise DependenciesMissing(error.what) from error
        log.line(_told(plan))
        return dependency_layer(
            root, plan, lambda: resolver.fetch(plan),
            limits=self._limits, log=log.stream, timeout=self._timeout, cancelled=cancelled,
        )  # fmt: skip

    def _resolver(self, archive: str, root: BuildRoot) -> Resolver:
        """apt over the mirror and those of the two archives that have packages at all."""
        wanted = [name for name in (archive, self._destination) if self._tree.index.binaries(name)]
        archives = [self._tree.local_archive(name) for name in wanted]
        directory = self._tree.state / "resolver" / ("+".join(a.name for a in archives) or "mirror")
        resolver = Resolver(self._mirror, directory, root.dpkg_status, archives)
        with self._tree.locked():
            resolver.refresh()
        return resolver

    def _publish(self, build: BuildRow, built: BuildResults) -> None:
        pool = self._tree.pool(build.archive)
        rows = [_binary_row(build, package) for package in built.packages]
        with self._tree.locked():
            try:
                for row, package in zip(rows, built.packages, strict=True):
                    pool.take(package.path, row.filename, size=package.file.size, sha256=package.file.sha256)
            except (Mismatch, Conflict) as error:
                raise StageFailed(f"its results cannot be accepted: {error}") from error
            if not self._tree.index.add_binaries(build, rows):
                raise Cancelled("the build was cancelled")
            self._tree.publish(build.archive)

    def _record_cancelled(self, build: BuildRow, *, stopping: bool) -> None:
        index = self._tree.index
        state = BuildState.NEEDS_BUILD if stopping else BuildState.CANCELLED
        reason = "" if stopping else f"the build of {build.source} {build.version} was cancelled"
        for running in (BuildState.BUILDING, BuildState.UPLOADING):
            index.move_build(build.id, running, state, reason)

    def _record_failure(self, build: BuildRow, log: BuildLog, error: CIError, status: str) -> None:
        if isinstance(error, ToolFailed):
            logger.error("%s %s: %s\n%s", build.source, build.version, error.message, error.output)
        reason = f"{build.source} {build.version} failed to build: {error.message}"
        log.end(status, reason)
        for running in (BuildState.BUILDING, BuildState.UPLOADING):
            self._tree.index.move_build(build.id, running, BuildState.FAILED, reason)


def _binary_row(build: BuildRow, package: BuiltPackage) -> BinaryRow:
    filename = f"{pool_directory(build.source)}/{package.file.name}"
    stanza = (
        f"{package.control}\nFilename: {filename}\nSize: {package.file.size}\nSHA256: {package.file.sha256}\n"
    )
    return BinaryRow(
        build.archive, build.source, build.version,
        package.name, package.version, package.architecture, filename, stanza,
    )  # fmt: skip


def _told(plan: InstallPlan) -> str:
    if plan.empty:
        return "Everything that the build needs is in the root."
    names = sorted(package.filename.removesuffix(".deb") for package in plan.packages)
    removed = [f"{name} (removed)" for name in plan.removed]
    return f"Layer {plan.key}: {' '.join([*names, *removed])}"
