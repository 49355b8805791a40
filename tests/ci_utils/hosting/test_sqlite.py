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


@pytest.fixture
def as_set(database: DatabaseWrapper) -> DatabaseWrapper:
    """The same with the options of the engine's settings."""
    if connections["default"].vendor != "sqlite":
        pytest.skip("the settings are those of PostgreSQL")
    database.close()
    database.settings_dict["OPTIONS"] = connections.settings["default"]["OPTIONS"]
    return database


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


def test_commits_do_not_wait_for_the_disk_and_are_written_out_on_demand(
    monkeypatch: pytest.MonkeyPatch, as_set: DatabaseWrapper
) -> None:
    with as_set.cursor() as cursor:
        assert cursor.execute("PRAGMA synchronous").fetchone() == (1,)
    _execute(as_set, "INSERT INTO thing VALUES ('a')")
    synced: list[Path] = []
    monkeypatch.setattr("os.fdatasync", lambda file: synced.append(Path(f"/proc/self/fd/{file}").readlink()))
    as_set.settle()
    assert synced == [Path(f"{as_set.settings_dict['NAME']}-wal")]


def test_who_asks_for_a_write_to_the_disk_hears_that_it_failed(
    monkeypatch: pytest.MonkeyPatch, as_set: DatabaseWrapper
) -> None:
    def full(_: int) -> None:
        raise OSError(5, "Input/output error")

    _execute(as_set, "INSERT INTO thing VALUES ('a')")
    monkeypatch.setattr("os.fdatasync", full)
    with pytest.raises(OperationalError, match="does not take what was written"):
        as_set.settle()
