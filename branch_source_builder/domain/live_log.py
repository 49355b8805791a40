"""The log of a build while it is written."""

from __future__ import annotations

import os
from dataclasses import dataclass

from ci_utils.archive.port import Archives
from ci_utils.errors import NotFound

PART_BYTES = 128 << 10


@dataclass(frozen=True)
class LogPart:
    """Whole lines of a log; the next ones begin at the byte `following`. `ended`: there will be no more."""

    text: str
    following: int
    ended: bool


def log_part(*, archives: Archives, archive: str, source: str, version: str, start: int | None) -> LogPart:
    """The log of a source's build in an archive from a byte on, or its last lines (`start` None).

    `NotFound` if there is no such build or it has not begun.
    """
    found = [b for b in archives.builds(archive) if (b.source, b.version) == (source, version)]
    if not found:
        raise NotFound(f"{archive} has no build of {source} {version}")
    build = found[0]
    with archives.build_log(archive, build.id) as log:
        size = log.seek(0, os.SEEK_END)
        begin = max(0, size - PART_BYTES) if start is None else min(start, size)
        log.seek(begin)
        content = log.read(PART_BYTES)
    if start is None and begin:
        cut = content.find(b"\n") + 1  # the beginning of its first line is missing
        begin, content = begin + cut, content[cut:]
    whole = content.rfind(b"\n") + 1
    if whole or not build.state.ended:
        content = content[: whole or (PART_BYTES if len(content) == PART_BYTES else 0)]
    following = begin + len(content)
    return LogPart(content.decode(errors="replace"), following, build.state.ended and following >= size)
