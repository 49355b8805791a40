"""Connections that are kept while their file is where it was.

Opening the database anew costs a request 1.5 ms; but SQLite goes on with a
file that was moved away, and then nobody would hear of it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.db.backends.sqlite3 import base


class DatabaseWrapper(base.DatabaseWrapper):
    """A connection that is unusable once its path leads to another file, or to none."""

    _file: tuple[int, int] | None = None

    def get_new_connection(self, conn_params: Any) -> Any:
        connection = super().get_new_connection(conn_params)
        self._file = self._found()
        return connection

    def is_usable(self) -> bool:
        """Asked once per request and turn of a worker, where CONN_HEALTH_CHECKS is set."""
        return self._file == self._found()

    def _found(self) -> tuple[int, int] | None:
        try:
            found = Path(self.settings_dict["NAME"]).stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino
