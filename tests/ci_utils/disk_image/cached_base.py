"""The base image that all tests share; made once per machine and never written to."""

from __future__ import annotations

import fcntl
from pathlib import Path

from ci_utils.apt.mirror import Mirror
from ci_utils.config import Config
from ci_utils.disk_image.base import make_base_image
from tests.cache import TEST_CACHE


def host_mirror() -> Mirror:
    """The mirror of this machine's own series, its lists and packages kept in the cache."""
    return Mirror(TEST_CACHE / "apt", Config.from_environment({}).series)


def cached_base_image(*, for_cloud: bool = False) -> Path:
    """A base image of this machine's series."""
    mirror = host_mirror()
    path = TEST_CACHE / f"{'cloud' if for_cloud else 'base'}-{mirror.series}.qcow2"
    TEST_CACHE.mkdir(parents=True, exist_ok=True)
    with (TEST_CACHE / "base.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            with (TEST_CACHE / "base.log").open("wb") as log:
                make_base_image(path, mirror, for_cloud=for_cloud, log=log, timeout=900)
    return path
