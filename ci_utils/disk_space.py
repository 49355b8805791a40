"""Full disks: what the engine keeps free for its own records, and what it says when there is no more.

Programs of builds, images and tests are stopped before they take the last of
a disk: without room for its records the engine could not even say why.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from pathlib import Path

DISK_FULL = (
    "the disk with the engine's data (UCI_DATA_DIR) is full; try again when its operator has made space"
)
LEFT_FOR_RECORDS = 16 << 20
#: What SQLite says of one, to the database and to the files beside it.
_SQLITE_FULL = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE)
#: Of a log that helped to fill the disk.
LEFT_OF_A_LOG = 1 << 20


def nearly_full(place: int | Path) -> bool:
    """Whether no more than `LEFT_FOR_RECORDS` bytes are free where this file or directory lies."""
    found = os.statvfs(place)
    return found.f_bavail * found.f_frsize < LEFT_FOR_RECORDS


def says_full(error: BaseException) -> bool:
    """Whether an error of the system, or of SQLite (also as Django's), comes of a full disk."""
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    return getattr(error.__cause__ or error, "sqlite_errorcode", None) in _SQLITE_FULL
