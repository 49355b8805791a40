"""Launchpad's build records as the port has them.

A build is BUILT here once its packages can be installed, which is some minutes
after Launchpad has built it: images are made of what apt finds. A build that
waits for a package which the archive is about to have is one that goes on.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from debian.deb822 import PkgRelation
from debian.debian_support import Version

from ci_utils.archive.launchpad.records import ACTIVE, BinaryPublication, BuildRecord, SourcePublication
from ci_utils.archive.port import Build, BuildState

STATES = {
    "Needs building": BuildState.NEEDS_BUILD,
    "Currently building": BuildState.BUILDING,
    "Gathering build output": BuildState.UPLOADING,
    "Uploading build": BuildState.UPLOADING,
    "Cancelling build": BuildState.BUILDING,
    "Successfully built": BuildState.BUILT,
    "Dependency wait": BuildState.DEPENDENCY_WAIT,
    "Cancelled build": BuildState.CANCELLED,
    "Failed to build": BuildState.FAILED,
    "Failed to upload": BuildState.FAILED,
    "Chroot problem": BuildState.FAILED,
    "Build for superseded Source": BuildState.CANCELLED,
}
REASONS = {
    "Failed to build": "its log says why",
    "Failed to upload": "Launchpad did not accept what was built",
    "Chroot problem": "Launchpad could not prepare the builder",
    "Build for superseded Source": "another version of it took its place",
}
_COMPARE = {
    "<<": lambda order: order < 0,
    "<=": lambda order: order <= 0,
    "=": lambda order: order == 0,
    ">=": lambda order: order >= 0,
    ">>": lambda order: order > 0,
}


def described(
    records: Sequence[BuildRecord],
    sources: Sequence[SourcePublication],
    binaries: Sequence[BinaryPublication],
    *,
    signed: bool,
) -> list[Build]:
    """The builds of an archive, from all records of its active sources and binaries.

    `signed` says whether the archive has a key by now, without which nothing
    is installed from it. Ordered by source, version and architecture.
    """
    going_on = any(not _state(record).ended for record in records)
    published = {(s.name, s.version) for s in sources if s.status == "Published"}
    found = []
    for record in sorted(records, key=lambda r: (r.source, r.version, r.architecture)):
        state = _state(record)
        own = [binary.status for binary in binaries if binary.build == record.link]
        there = (record.source, record.version) in published and own and "Pending" not in own
        if state is BuildState.BUILT and not (there and signed):
            state = BuildState.UPLOADING
        elif state is BuildState.DEPENDENCY_WAIT and (going_on or provided(record, binaries)):
            state = BuildState.NEEDS_BUILD
        found.append(
            Build(
                record.id, record.source, record.version, record.architecture, state, _reason(record, state)
            )
        )
    return found


def provided(record: BuildRecord, binaries: Sequence[BinaryPublication], *, now: bool = False) -> bool:
    """Whether the archive has, or soon has, all that a build waits for; `now`: has it published."""
    statuses = ("Published",) if now else ACTIVE
    usable = [b for b in binaries if b.architecture == record.architecture and b.status in statuses]
    relations = PkgRelation.parse_relations(record.dependencies)
    return bool(record.dependencies) and all(
        any(_satisfied(one, binary) for one in either for binary in usable) for either in relations
    )


def _satisfied(relation: PkgRelation.ParsedRelation, binary: BinaryPublication) -> bool:
    if relation["name"] != binary.name:
        return False
    if not relation["version"]:
        return True
    comparison, version = relation["version"]
    if binary.version == version:
        return comparison in ("<=", "=", ">=")
    order = -1 if Version(binary.version) < Version(version) else 1
    return bool(_COMPARE[comparison](order)) if comparison in _COMPARE else False


def _state(record: BuildRecord) -> BuildState:
    """A state that Launchpad invents one day counts as one that goes on, never as an end."""
    return STATES.get(record.state, BuildState.BUILDING)


def _reason(record: BuildRecord, state: BuildState) -> str:
    name = f"{record.source} {record.version}"
    if state is BuildState.DEPENDENCY_WAIT:
        needed = re.sub(r"\s+", " ", record.dependencies)[:200] or "a package"
        return f"{name} needs {needed} to build, which is not available"
    if state is BuildState.CANCELLED:
        return REASONS.get(record.state) or f"the build of {name} was cancelled"
    if state is BuildState.FAILED:
        return f"{name} failed to build: {REASONS[record.state]}"
    return ""
