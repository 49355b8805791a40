"""Which of the waiting builds may start: the order inside one archive.

Sources of one ticket may build-depend on each other. A build waits while
another one that is not finished makes a package it asks for; one whose
dependencies cannot be had is tried again whenever the archive got new
packages, and given up when nothing is left that could bring them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ci_utils.archive.index import BuildRow, SourceRow
from ci_utils.archive.port import BuildState

SourceOf = Callable[[BuildRow], SourceRow | None]


class BuildQueue:
    """Remembers, for one run of the farm, which builds wait for packages and since when."""

    def __init__(self) -> None:
        self._waiting: dict[str, tuple[int, str]] = {}

    def wait(self, build: BuildRow, packages: int, what: str) -> None:
        """`build` lacks `what` while its archive has `packages` binary packages."""
        self._waiting[build.id] = (packages, what)

    def startable(
        self, unfinished: Iterable[BuildRow], source_of: SourceOf, packages: int
    ) -> BuildRow | None:
        """The build of one archive to start next, if any.

        `unfinished` are the archive's builds that have not ended, `packages`
        is how many binary packages it has now.
        """
        unfinished = list(unfinished)
        queued = [build for build in unfinished if build.state == BuildState.NEEDS_BUILD.value]
        ready = [build for build in queued if self._waiting.get(build.id, (-1, ""))[0] != packages]
        for build in ready:
            others = [
                other for other in unfinished if other.id != build.id and not self._is_stuck(other, packages)
            ]
            if not _needs(source_of(build)) & set().union(*(_provides(source_of(o)) for o in others)):
                return build
        # They wait for each other: one has to begin.
        return ready[0] if ready and len(queued) == len(unfinished) else None

    def hopeless(self, unfinished: Iterable[BuildRow], packages: int) -> list[tuple[BuildRow, str]]:
        """Builds of one archive that nothing can help any more, each with what it lacks."""
        unfinished = list(unfinished)
        if not all(self._is_stuck(build, packages) for build in unfinished):
            return []
        return [(build, self._waiting[build.id][1]) for build in unfinished]

    def _is_stuck(self, build: BuildRow, packages: int) -> bool:
        return build.id in self._waiting and self._waiting[build.id][0] == packages


def _needs(source: SourceRow | None) -> set[str]:
    return set(source.needs.split()) if source else set()


def _provides(source: SourceRow | None) -> set[str]:
    return set(source.provides.split()) if source else set()
