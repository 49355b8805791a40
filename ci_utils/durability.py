"""When what was committed must survive a loss of power.

PostgreSQL writes every commit to the disk. SQLite is told not to wait for that
(`synchronous=NORMAL`): no commit is lost with the process, and after a loss of
power the database is as it was some commits ago, never between two. So who
does something that cannot be taken back, or promises something to somebody
outside, asks here first; whatever was committed before is on the disk then.
"""

from __future__ import annotations

from django.db import connection


def settle() -> None:
    """Return once everything that is committed survives a loss of power.

    Raises `OperationalError` if it cannot be written.
    """
    write_out = getattr(connection, "settle", None)
    if write_out:
        write_out()
