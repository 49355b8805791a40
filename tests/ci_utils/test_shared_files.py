"""One file at two places."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from ci_utils.shared_files import share


@pytest.fixture
def source(tmp_path: Path) -> Path:
    source = tmp_path / "hello.deb"
    source.write_bytes(b"contents")
    return source


def test_a_file_is_linked(source: Path):
    target = source.with_name("target.deb")
    share(source, target)

    assert target.samefile(source)


def test_it_is_copied_where_it_cannot_be_linked(source: Path, monkeypatch: pytest.MonkeyPatch):
    def link(*_: Path) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", link)
    target = source.with_name("target.deb")
    share(source, target)

    assert not target.samefile(source)
    assert target.read_bytes() == b"contents"


def test_what_is_there_already_is_not_replaced(source: Path):
    target = source.with_name("target.deb")
    target.write_bytes(b"others'")
    with pytest.raises(FileExistsError):
        share(source, target)

    assert target.read_bytes() == b"others'"


def test_a_file_that_is_not_there_is_said(tmp_path: Path):
    with pytest.raises(FileNotFoundError):
        share(tmp_path / "missing.deb", tmp_path / "target.deb")

    assert not (tmp_path / "target.deb").exists()
