"""How a full disk is recognised, and that nobody is told of it who has another trouble."""

from __future__ import annotations

import errno
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from django.db.utils import OperationalError

from ci_utils import disk_space
from ci_utils.disk_space import nearly_full, says_full


@pytest.mark.parametrize(("number", "full"), [(errno.ENOSPC, True), (errno.EDQUOT, True), (errno.EIO, False)])
def test_an_error_of_the_system(number, full):
    assert says_full(OSError(number, "")) is full


def test_an_error_of_sqlite_and_the_one_that_django_makes_of_it(tmp_path: Path):
    with closing(sqlite3.connect(tmp_path / "db", isolation_level=None)) as database:
        database.execute("CREATE TABLE t (x)")
        database.execute("PRAGMA max_page_count = 2")
        with pytest.raises(sqlite3.OperationalError) as caught:
            database.execute("INSERT INTO t VALUES (zeroblob(100000))")
        with pytest.raises(sqlite3.OperationalError) as other:
            database.execute("SELECT * FROM missing")
    assert says_full(caught.value)
    assert not says_full(other.value)
    with pytest.raises(OperationalError) as wrapped:
        raise OperationalError from caught.value
    assert says_full(wrapped.value)


def test_a_disk_is_nearly_full_when_less_is_left_than_is_kept_for_records(tmp_path, monkeypatch):
    monkeypatch.setattr(disk_space, "LEFT_FOR_RECORDS", 1)
    assert not nearly_full(tmp_path)
    monkeypatch.setattr(disk_space, "LEFT_FOR_RECORDS", 1 << 62)
    assert nearly_full(tmp_path)
