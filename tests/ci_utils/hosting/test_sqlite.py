"""Connections that outlive a request, and files that are moved under them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connections
from django.db.utils import OperationalError

from ci_utils.hosting.sqlite.base import DatabaseWrapper


@pytest.fixture
def database(tmp_path: Path, db: None) -> Iterator[DatabaseWrapper]:
    """A connection, open and with something written."""
    (tmp_path / "data").mkdir()
    settings = {**connections.settings["default"], "ENGINE": "ci_utils.hosting.sqlite", "OPTIONS": {}}
    settings |= {
        "NAME": tmp_path / "data" / "engine.sqlite3",
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
    }
    database = DatabaseWrapper(settings, "moved")
    database.inc_thread_sharing()
    _execute(database, "CREATE TABLE thing (name text)")
    yield database
    database.close()


def _execute(database: DatabaseWrapper, sql: str) -> None:
    with database.cursor() as cursor:
        cursor.execute(sql)


def test_a_connection_is_kept_from_one_request_to_the_next(database: DatabaseWrapper) -> None:
    kept = database.connection
    database.close_if_unusable_or_obsolete()
    _execute(database, "INSERT INTO thing VALUES ('a')")
    assert database.connection is kept


def test_a_request_hears_that_the_file_was_moved_away(database: DatabaseWrapper) -> None:
    directory = Path(database.settings_dict["NAME"]).parent
    directory.rename(directory.with_name("away"))
    database.close_if_unusable_or_obsolete()
    with pytest.raises(OperationalError, match="unable to open"):
        _execute(database, "INSERT INTO thing VALUES ('a')")
    directory.with_name("away").rename(directory)
    _execute(database, "INSERT INTO thing VALUES ('a')")


def test_a_request_sees_the_file_that_was_put_in_place_of_another(database: DatabaseWrapper) -> None:
    path = Path(database.settings_dict["NAME"])
    path.rename(path.with_name("old"))
    database.close_if_unusable_or_obsolete()
    with pytest.raises(OperationalError, match="no such table"):
        _execute(database, "INSERT INTO thing VALUES ('a')")
