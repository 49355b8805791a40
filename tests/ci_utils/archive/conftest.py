"""Local archives whose build root is made once per machine."""

from __future__ import annotations

import platform
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ci_utils.apt.mirror import Mirror
from ci_utils.archive.local import LocalArchives
from tests.cache import TEST_CACHE
from tests.ci_utils.source_package.uploads import SigningKey

OpenArchives = Callable[..., LocalArchives]


@pytest.fixture(scope="session")
def mirror() -> Mirror:
    """The mirror that this host's apt uses, with its lists."""
    mirror = Mirror(TEST_CACHE / "apt", platform.freedesktop_os_release()["VERSION_CODENAME"])
    mirror.refresh(max_age_seconds=24 * 3600)
    return mirror


@pytest.fixture(scope="session")
def uploader() -> Iterator[SigningKey]:
    """A key that signs uploads."""
    with tempfile.TemporaryDirectory(prefix="uci-gpg-", dir="/tmp") as directory:
        key = SigningKey(Path(directory) / "uploader", "Uploader <uploader@example.com>")
        yield key
        key.close()


@pytest.fixture
def open_archives(mirror: Mirror) -> Iterator[OpenArchives]:
    """Opens the archives of one directory, again and again, as engines do that follow each other."""
    opened: list[LocalArchives] = []
    with tempfile.TemporaryDirectory(prefix="uci-archives-") as directory:

        def open_again(owner: str = "local") -> LocalArchives:
            archives = LocalArchives(
                Path(directory) / "archives",
                mirror,
                owner=owner,
                destination="archive",
                pool_size=2,
                base_url="http://127.0.0.1:8000/archives",
                build_timeout=300,
            )
            opened.append(archives)
            return archives

        yield open_again
        for archives in opened:
            archives.close()


@pytest.fixture
def archives(open_archives: OpenArchives) -> LocalArchives:
    """Local archives with a destination and a pool of two."""
    archives = open_archives()
    archives.destination()
    archives.list_pool()
    return archives
