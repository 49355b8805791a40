"""What an engine that was killed has left half-done is gone when the next one starts."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from ci_utils.hosting import leftovers


@pytest.fixture(autouse=True)
def _tempdir_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", tempfile.tempdir)


def test_temporary_files_are_made_beside_the_data_and_forgotten_at_the_next_start(tmp_path: Path):
    leftovers.begin_without(tmp_path)
    left = Path(tempfile.mkdtemp())
    (left / "file").touch()
    assert left.is_relative_to(tmp_path)

    leftovers.begin_without(tmp_path)

    assert not left.exists()
    assert Path(tempfile.mkdtemp()).exists()


def test_uploads_that_were_broken_off_are_removed_and_whole_ones_stay(tmp_path: Path):
    container = tmp_path / "data-store" / "ticket.1.sources"
    for name in ("incoming/tmpx", "files/hello.dsc"):
        (container / name).parent.mkdir(parents=True)
        (container / name).touch()

    leftovers.begin_without(tmp_path)

    assert [str(path.relative_to(container)) for path in container.rglob("*") if path.is_file()] == [
        "files/hello.dsc"
    ]
