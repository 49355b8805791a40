"""Directories that are shared between the engine and a sandbox's own users."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from ci_utils.sandbox.sandbox import Bind, Host, Sandbox

TIMEOUT_SECONDS = 600


def writable_directory(path: Path) -> Path:
    """Make a directory that every user of a sandbox may write to; keep its parent to yourself."""
    path.mkdir()
    path.chmod(0o777)
    return path


def remove_tree(path: Path) -> None:
    """Delete a tree whose files may belong to a sandbox's users. Harmless when repeated."""
    shutil.rmtree(path, ignore_errors=True)
    if not path.exists():
        return
    sandbox = Sandbox(Host(), binds=[Bind(path, "/mnt/tree", read_only=False)])
    opened = ["find", "/mnt/tree", "-xdev", "-type", "d", "-exec", "chmod", "0777", "{}", "+"]
    with sandbox.popen(opened, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        # Directories that are the engine's own refuse; the engine removes those itself.
        process.wait(TIMEOUT_SECONDS)
    shutil.rmtree(path)
