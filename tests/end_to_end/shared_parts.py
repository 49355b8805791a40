"""Base image and build root: made once per machine, lent to every test engine."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from tests.end_to_end.engine import Engine


def prepared(cache: Path) -> Path:
    """A data directory that has the base image and the mirror's lists; made if it is not there."""
    cache.mkdir(mode=0o755, parents=True, exist_ok=True)
    made = Engine(cache, {}, cache / "engine.log").command("image", "base", "make", timeout=900)
    assert made.returncode == 0, made.stdout + made.stderr
    return cache


def lend(source: Path, data_dir: Path) -> None:
    """Give a new data directory the disposable cache and the base image of another one."""
    data_dir.mkdir(mode=0o755, parents=True)
    (data_dir / "cache").symlink_to(source / "cache")
    shutil.copytree(source / "images", data_dir / "images", copy_function=_link_or_copy)


def _link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target)  # images are never written to
    except OSError:
        shutil.copy2(source, target)
