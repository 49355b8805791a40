"""The index of the archives answers in sentences when its file does not."""

from __future__ import annotations

import multiprocessing
import sqlite3
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from ci_utils.archive.index import ArchiveIndex
from ci_utils.errors import Unavailable


@pytest.fixture
def index(tmp_path: Path) -> ArchiveIndex:
    return ArchiveIndex(tmp_path / "index.db")


def test_a_file_that_cannot_be_opened_does_not_answer_now(index, tmp_path):
    for file in tmp_path.glob("index.db*"):
        file.unlink()
    (tmp_path / "index.db").mkdir()

    with pytest.raises(Unavailable, match="does not answer now"):
        index.builds("ppa:local/ci_pool-001")
    with pytest.raises(Unavailable, match="does not answer now"):
        index.empty("ppa:local/ci_pool-001")


def test_a_full_disk_is_named(index, monkeypatch):
    def full(*_, **__):
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = sqlite3.SQLITE_IOERR_SHMSIZE
        raise error

    monkeypatch.setattr("ci_utils.archive.index.sqlite3.connect", full)

    with pytest.raises(Unavailable, match="is full"):
        index.builds("ppa:local/ci_pool-001")


def _make_each(started, directory: Path, times: int) -> list[str]:
    failed = []
    for number in range(times):
        started.wait(100)
        try:
            ArchiveIndex(directory / f"{number}.db")
        except Exception as error:
            failed.append(repr(error))
    return failed


def test_processes_that_start_at_once_make_it_together(tmp_path):
    processes = 4
    with multiprocessing.Manager() as manager, ProcessPoolExecutor(processes) as pool:
        started = manager.Barrier(processes)
        made = [pool.submit(_make_each, started, tmp_path, 20) for _ in range(processes)]

        assert [failed for each in made for failed in each.result()] == []
