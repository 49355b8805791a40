"""Engines for benchmarks: a real one as its own process, and Django on a directory of this process's own."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def scratch() -> Iterator[Path]:
    """A directory that sandboxes can reach, gone afterwards."""
    directory = Path(tempfile.mkdtemp(prefix="uci-benchmark-", dir="/var/tmp"))
    directory.chmod(0o755)
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def django_in(directory: Path, **settings: str) -> Iterator[Path]:
    """Django with a migrated database, once per process; yields the data directory, below `directory`."""
    data_dir = directory / "data"
    data_dir.mkdir(mode=0o755)
    for name in [name for name in os.environ if name.startswith("UCI_")]:
        del os.environ[name]
    os.environ |= {
        "UCI_DATA_DIR": str(data_dir),
        "UCI_LOG_LEVEL": "warning",
        "DJANGO_SETTINGS_MODULE": "ci_utils.hosting.settings",
        **settings,
    }
    from ci_utils.hosting import database

    database.prepare()
    yield data_dir
    from django.db import connections

    connections.close_all()
