"""Connections that are kept while their file is where it was, and commits that do not wait for the disk.

Opening the database anew costs a request 1.5 ms; but SQLite goes on with a
file that was moved away, and then nobody would hear of it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from django.db.backends.sqlite3 import base
from django.db.utils import OperationalError


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

    def settle(self) -> None:
        """See `ci_utils.durability`. Threads that ask at the same time are served by one write of the disk.

        All that is committed is in the write-ahead log or, synced before, in the database itself.
        """
        try:
            log = os.open(f"{self.settings_dict['NAME']}-wal", os.O_RDONLY)
        except FileNotFoundError:
            return  # the last connection that was closed has written everything out
        except OSError as error:
            raise OperationalError(f"the write-ahead log cannot be opened: {error.strerror}") from error
        try:
            os.fdatasync(log)
        except OSError as error:
            raise OperationalError(f"the disk does not take what was written: {error.strerror}") from error
        finally:
            os.close(log)

    def _found(self) -> tuple[int, int] | None:
        try:
            found = Path(self.settings_dict["NAME"]).stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino
