"""Copies of images that are kept elsewhere."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ci_utils.errors import Unavailable
from ci_utils.image_store.cache import ImageCache
from ci_utils.image_store.port import Image

SIZE = 1000


def image(name: str) -> Image:
    return Image(name, name, SIZE, "", public=False)


class Elsewhere:
    """Gives copies, and counts how often it had to."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, path: Path) -> None:
        self.asked += 1
        path.write_bytes(bytes(SIZE))


@pytest.fixture
def elsewhere() -> Elsewhere:
    return Elsewhere()


@pytest.fixture
def work(tmp_path: Path) -> Path:
    path = tmp_path / "work"
    path.mkdir()
    return path


def copies(cache: ImageCache) -> list[str]:
    return sorted(path.name for path in cache.directory.iterdir() if not path.name.startswith(".lock"))


def test_an_image_is_copied_once(tmp_path, work, elsewhere):
    cache = ImageCache(tmp_path / "cache", 10 * SIZE)
    first = cache.fetch(image("a"), work, elsewhere)
    (work / "other").mkdir()
    second = cache.fetch(image("a"), work / "other", elsewhere)
    assert elsewhere.asked == 1
    assert first.samefile(second)
    assert first.stat().st_mode & 0o222 == 0


def test_what_was_not_used_for_longest_goes_first(tmp_path, work, elsewhere):
    cache = ImageCache(tmp_path / "cache", 2 * SIZE)
    for number, name in enumerate(("a", "b")):
        cache.fetch(image(name), work, elsewhere)
        os.utime(cache.directory / f"{name}.qcow2", (number, number))
    (work / "a.qcow2").unlink()
    cache.fetch(image("a"), work, elsewhere)
    cache.fetch(image("c"), work, elsewhere)
    assert copies(cache) == ["a.qcow2", "c.qcow2"]


def test_a_file_that_was_handed_out_stays_when_its_copy_goes(tmp_path, work, elsewhere):
    cache = ImageCache(tmp_path / "cache", SIZE)
    path = cache.fetch(image("a"), work, elsewhere)
    cache.fetch(image("b"), work, elsewhere)
    assert copies(cache) == ["b.qcow2"]
    assert path.stat().st_size == SIZE


def test_an_image_larger_than_the_cache_can_be_had(tmp_path, work, elsewhere):
    cache = ImageCache(tmp_path / "cache", 1)
    assert cache.fetch(image("a"), work, elsewhere).stat().st_size == SIZE


def test_a_copy_that_failed_is_not_there(tmp_path, work, elsewhere):
    def fails(path: Path) -> None:
        path.write_bytes(b"half")
        raise Unavailable("it broke")

    cache = ImageCache(tmp_path / "cache", SIZE)
    with pytest.raises(Unavailable):
        cache.fetch(image("a"), work, fails)
    assert copies(cache) == []
    assert cache.fetch(image("a"), work, elsewhere).stat().st_size == SIZE


def test_what_a_killed_process_left_half_copied_is_not_taken(tmp_path, work, elsewhere):
    cache = ImageCache(tmp_path / "cache", 10 * SIZE)
    (cache.directory / ".part").write_bytes(b"half")
    (cache.directory / "a.qcow2").write_bytes(b"half")
    assert cache.fetch(image("a"), work, elsewhere).read_bytes() == bytes(SIZE)
    assert copies(cache) == ["a.qcow2"]
