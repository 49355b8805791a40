"""What a process that was killed has left half-done is gone when the next one starts."""

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


def touched(data_dir: Path, *names: str) -> list[Path]:
    paths = [data_dir / name for name in names]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return paths


def test_files_of_requests_that_nobody_took_up_again_are_removed(tmp_path: Path):
    touched(tmp_path, "tests/lander.1-a/unpack.log", "image-builds/lander.1-b/image.qcow2")
    base, lock = touched(tmp_path, "image-builds/.base-x/tree", "image-builds/base.lock")

    leftovers.begin_without(tmp_path)

    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [lock, base]
    assert not list(tmp_path.glob("*/lander.1*"))


def test_a_worker_removes_what_a_dead_one_of_its_service_left(tmp_path: Path):
    touched(tmp_path, "tests/lander.1-a/unpack.log", "tmp/test_runner/uci-mount-x/fuse")
    others = touched(tmp_path, "image-builds/lander.1-b/image.qcow2", "tmp/image_builder/uci-mount-y/fuse")

    with leftovers.working_without(tmp_path, "test_runner"):
        assert Path(tempfile.mkdtemp()).is_relative_to(tmp_path)

        assert not list(tmp_path.glob("tests/*"))
        assert not (tmp_path / "tmp/test_runner/uci-mount-x").exists()
        assert all(path.exists() for path in others)


def test_what_a_living_worker_of_the_same_service_has_in_work_stays(tmp_path: Path):
    with leftovers.working_without(tmp_path, "test_runner"):
        in_work = touched(tmp_path, "tests/lander.1-a/unpack.log", "tmp/test_runner/uci-mount-x/fuse")

        for _ in range(2):
            with leftovers.working_without(tmp_path, "test_runner"):
                assert all(path.exists() for path in in_work)

    with leftovers.working_without(tmp_path, "test_runner"):
        assert not any(path.exists() for path in in_work)
