"""The mirror of this machine's series, fetched once per machine."""

from __future__ import annotations

import platform
from pathlib import Path

import pytest

from ci_utils.apt.mirror import Mirror
from tests.cache import TEST_CACHE


@pytest.fixture(scope="session")
def mirror() -> Mirror:
    """The mirror that this host's apt uses, with its lists."""
    mirror = Mirror(TEST_CACHE / "apt", platform.freedesktop_os_release()["VERSION_CODENAME"])
    mirror.refresh(max_age_seconds=24 * 3600)
    return mirror


@pytest.fixture
def etc_apt(tmp_path: Path) -> Path:
    """An empty /etc/apt."""
    (tmp_path / "apt" / "sources.list.d").mkdir(parents=True)
    return tmp_path / "apt"
