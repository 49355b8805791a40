"""Runs `uci-engine` so that it kills itself at the next change of state that it has not died at before.

    dying.py FILE run --listen HOST:PORT

FILE lists, a line each, the changes at which an engine died already. The
engine is the one that users run; only SQLite tells this program, just before
it does so, which statement it runs. So death comes at an exact point of the
work: what precedes the change has happened, the change has not.
"""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import sys
import threading
from pathlib import Path
from typing import Any

from ci_utils.hosting.main import main

TABLES = (
    "ticket_system_transition",
    "ticket_system_subticket",
    "lander_masterjob",
    "lander_childjob",
    "work_queue_workrequest",
    "ppa_assigner_ppa",
    "build",
    "binary",
)
CHANGE = re.compile(rf'(INSERT INTO|UPDATE|INSERT OR REPLACE INTO) "?({"|".join(TABLES)})"?[ (]')
VALUE = re.compile(r"""'([A-Z_]{5,}|[a-z_]{4,20}|\d{3,4}|[A-Z][a-z]+(?: [a-z]+)+)'""")
ROW = re.compile(r'"id" = (\d+)')


def label(statement: str) -> str:
    """What a statement changes, the same in every run; empty if it changes no state."""
    match = CHANGE.match(statement)
    if not match:
        return ""
    changed, _, rows = statement.partition(" WHERE ")
    values = [value for value in VALUE.findall(changed[:4000]) if value not in ("main", "optional")]
    if not values:  # a lease that is renewed, a message
        return ""
    row = ROW.search(rows)
    verb = match[1].split()[0].lower()
    return " ".join([verb, match[2], *([row[1]] if row else []), *dict.fromkeys(values[:6])])


class Death:
    """Ends this process at a change that is not in `record`."""

    def __init__(self, record: Path) -> None:
        self._record = record
        self._seen = set(record.read_text().splitlines())
        self._lock = threading.Lock()

    def __call__(self, statement: str) -> None:
        change = label(statement)
        if change and change not in self._seen:
            with self._lock, self._record.open("a") as record:
                record.write(f"{change}\n")
                record.flush()
                os.kill(os.getpid(), signal.SIGKILL)


def watch_sqlite(death: Death) -> None:
    """Have every connection of this process tell `death` its statements."""
    connect = sqlite3.connect

    def traced(*arguments: Any, **options: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(*arguments, **options)
        connection.set_trace_callback(death)
        return connection

    sqlite3.connect = sqlite3.dbapi2.connect = traced  # type: ignore[assignment]


if __name__ == "__main__":
    watch_sqlite(Death(Path(sys.argv[1])))
    sys.exit(main(sys.argv[2:]))
