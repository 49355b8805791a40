"""Measures what a sandbox writes; runs as its first process, who may look at all of it.

Where files lie in memory, the size of that file system is the limit. On disk
every file is counted now and then, and what the file system has left is
watched, for files that have no name any more.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Sequence

from ci_utils.sandbox.plan import LimitsPlan

#: A walk takes at most one part in so many of the time.
REST_FACTOR = 10
LEAST_SECONDS = 0.5
#: What a full file system may have left: a program that found no space may have tidied up a little.
FULL_PART = 64
MAX_FILES = 2_000_000
#: What a file takes at least, whatever is in it.
BYTES_PER_FILE = 1024


class DiskMeter:
    """Watches the roots of trees on disk, and one place where files lie in memory or None."""

    def __init__(self, limits: LimitsPlan, trees: Sequence[str], in_memory: str | None) -> None:
        self._limits = limits
        self._most_files = min(MAX_FILES, limits.disk // BYTES_PER_FILE)
        self._trees = trees
        self._in_memory = in_memory
        self._walk_at = 0.0
        self._least_free = [_free(tree) // 4 for tree in trees]

    def full(self, *, now: bool = False) -> bool:
        """Whether too much is written; `now` counts files without waiting for the time to do so."""
        if self._in_memory and _is_full(self._in_memory):
            return True
        if any(_free(tree) < least for tree, least in zip(self._trees, self._least_free, strict=True)):
            return True
        return (now or time.monotonic() >= self._walk_at) and self._too_much()

    def _too_much(self) -> bool:
        started = time.monotonic()
        size = files = 0
        for tree in self._trees:
            waiting = [tree]
            while waiting and size < self._limits.disk and files <= self._most_files:
                found_size, found_files, folders = _measure(waiting.pop())
                size, files = size + found_size, files + found_files
                waiting += folders
        ended = time.monotonic()
        self._walk_at = ended + max(LEAST_SECONDS, REST_FACTOR * (ended - started))
        return size >= self._limits.disk or files > self._most_files


def _measure(folder: str) -> tuple[int, int, list[str]]:
    """Bytes and number of what lies in a folder, and its folders."""
    size, files, folders = 0, 0, []
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            files += 1
            with contextlib.suppress(OSError):
                size += entry.stat(follow_symlinks=False).st_blocks * 512
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
    return size, files, folders


def _is_full(place: str) -> bool:
    found = os.statvfs(place)
    return found.f_bavail < found.f_blocks // FULL_PART or (found.f_files > 0 and found.f_ffree == 0)


def _free(place: str) -> int:
    found = os.statvfs(place)
    return found.f_bavail * found.f_frsize
