"""A loss of power leaves of an archive what apt reads, or what the next publication mends.

What was not synced can be empty afterwards, though it has its name.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ci_utils.archive.file_pool import FilePool
from ci_utils.archive.publication import Publication
from ci_utils.archive.signing_key import SigningKey


@pytest.fixture
def lose_power(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Empties every file of the archives that was not synced."""
    synced = set()
    sync = os.fsync

    def noted(descriptor: int) -> None:
        sync(descriptor)
        synced.add(os.fstat(descriptor).st_ino)

    def lose() -> None:
        for path in tmp_path.glob("archive*/**/*"):
            if path.is_file() and path.stat().st_ino not in synced:
                os.truncate(path, 0)

    monkeypatch.setattr(os, "fsync", noted)
    return lose


@pytest.fixture
def publication(tmp_path: Path) -> Iterator[Publication]:
    key = SigningKey(tmp_path / "gnupg", "tests")
    key.ensure()
    yield Publication(tmp_path / "archive", "archive", "bookworm", "amd64", key)
    key.close()


def wrong_indices(publication: Publication) -> list[str]:
    """What InRelease names and apt would not find as it says."""
    suite = publication.directory / "dists" / publication.suite
    named = re.findall(r"^ ([0-9a-f]{64}) \d+ (\S+)$", (suite / "InRelease").read_text(), re.MULTILINE)
    assert len(named) == 4
    found = {
        digest: (suite / name, (suite / name).parent / "by-hash" / "SHA256" / digest)
        for digest, name in named
    }
    return [
        str(path)
        for digest, paths in found.items()
        for path in paths
        if hashlib.sha256(path.read_bytes()).hexdigest() != digest
    ]


def test_what_was_published_is_whole_after_a_loss_of_power(publication: Publication, lose_power):
    publication.publish(packages=["Package: tiny"], sources=["Package: tiny"])
    lose_power()
    assert wrong_indices(publication) == []
    assert (publication.directory / "key.gpg").read_bytes() == publication.key.public_key()


def test_the_next_publication_mends_what_is_empty(publication: Publication):
    publication.publish(packages=["Package: tiny"], sources=[])
    for path in (publication.directory / "dists").rglob("*"):
        if path.is_file():
            os.truncate(path, 0)
    publication.publish(packages=["Package: tiny"], sources=[])
    assert wrong_indices(publication) == []


@pytest.mark.parametrize("links", [True, False])
def test_the_packages_of_a_pool_are_whole_after_a_loss_of_power(
    links: bool, tmp_path: Path, lose_power, monkeypatch: pytest.MonkeyPatch
):
    def across_disks(*_: object) -> None:
        raise OSError

    if not links:
        monkeypatch.setattr(os, "link", across_disks)
    (tmp_path / "tiny.deb").write_bytes(b"deb")
    origin, target = FilePool(tmp_path / "archive-1"), FilePool(tmp_path / "archive-2")
    origin.take(tmp_path / "tiny.deb", "pool/tiny.deb", size=3, sha256=hashlib.sha256(b"deb").hexdigest())
    target.link_from(origin, "pool/tiny.deb")
    lose_power()
    assert origin.path("pool/tiny.deb").read_bytes() == b"deb"
    assert target.path("pool/tiny.deb").read_bytes() == b"deb"
