"""Copies sources with their binaries from one archive of Launchpad to another, all or none."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

from debian.debian_support import Version

from ci_utils.archive.launchpad.admission import same_content
from ci_utils.archive.launchpad.errors import RefusedByLaunchpad
from ci_utils.archive.launchpad.records import SourcePublication
from ci_utils.archive.launchpad.web_service import WebService
from ci_utils.archive.port import Build, BuildState
from ci_utils.errors import Conflict, NotFound, Unavailable

#: Launchpad publishes within minutes; how long it may take before the engine asks anew.
PUBLISH_SECONDS = 1800

Pair = tuple[str, str]


def copy_sources(
    service: WebService,
    pairs: Iterable[Pair],
    *,
    origin: str,
    target: str,
    series: str,
    builds: Sequence[Build],
) -> list[Pair]:
    """Have these (name, version) pairs copied, which Launchpad does at once for all or for none.

    `builds` are those of `origin`. Returns all pairs; publishing takes some
    minutes more. Raises `NotFound` and `Conflict`.
    """
    wanted = list(dict.fromkeys(pairs))
    missing = [pair for pair in wanted if _must_copy(service, pair, origin, target, builds)]
    if missing:
        try:
            service.copy([name for name, _ in missing], origin=origin, target=target, series=series)
        except RefusedByLaunchpad as error:
            # An answer that was lost makes the library ask again, for what is there by now.
            if not all(_active(service, target, pair) for pair in missing):
                raise Conflict(f"Launchpad refused to copy to {target}: {error.message}") from None
    return wanted


def wait_until_published(
    service: WebService, pairs: Sequence[Pair], *, target: str, poll_seconds: float
) -> None:
    """Return when apt finds these sources and their binaries; `Unavailable` if it takes too long."""
    until = time.monotonic() + PUBLISH_SECONDS
    while waiting := [pair for pair in pairs if not _published(service, target, pair)]:
        if time.monotonic() > until:
            name, version = waiting[0]
            raise Unavailable(f"{name} {version} was copied to {target}, but is not published there yet")
        time.sleep(poll_seconds)


def _must_copy(service: WebService, pair: Pair, origin: str, target: str, builds: Sequence[Build]) -> bool:
    name, version = pair
    there = _active(service, origin, pair)
    for record in service.sources(target, source_name=name, exact_match=True):
        if record.active and Version(record.version) > Version(version):
            raise Conflict(f"{target} has {name} {record.version}, which is higher than {version}")
        if record.active and record.version == version:
            if there and not same_content(service, there, record):
                raise Conflict(f"{target} has another {name} {version}; give it a higher version")
            return False
    if there is None:
        raise NotFound(f"{origin} has no source {name} {version}")
    if any(build.state is not BuildState.BUILT for build in builds if (build.source, build.version) == pair):
        raise Conflict(f"{name} {version} is not built in {origin}, so it cannot be published")
    return True


def _active(service: WebService, archive: str, pair: Pair) -> SourcePublication | None:
    records = service.sources(archive, source_name=pair[0], version=pair[1], exact_match=True)
    return next((record for record in records if record.active), None)


def _published(service: WebService, target: str, pair: Pair) -> bool:
    record = _active(service, target, pair)
    if record is None:
        raise Unavailable(f"{pair[0]} {pair[1]} was copied to {target}, but is not there")
    if record.status != "Published":
        return False
    waiting = service.binaries(target, status="Pending")
    return not any((binary.source, binary.source_version) == pair for binary in waiting)
