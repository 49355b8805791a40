"""Temporary files of the single-machine engine: in one place, and gone when it starts again."""

from __future__ import annotations

import tempfile
from pathlib import Path

from ci_utils.sandbox.trees import remove_tree


def begin_without(data_dir: Path) -> None:
    """Remove what an engine that was killed left half-done, and keep temporary files beside the data.

    For a process that holds the lock of `data_dir`: nobody else writes there.
    """
    scratch = data_dir / "tmp"
    remove_tree(scratch)
    scratch.mkdir(mode=0o700)
    tempfile.tempdir = str(scratch)
    for path in data_dir.glob("data-store/*/incoming/*"):
        path.unlink()
