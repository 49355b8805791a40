"""A root of its own for sandboxes: the host's busybox or a few of its programs, no mirror needed."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

PROGRAMS = (
    "sh", "cat", "id", "ls", "sleep", "touch", "env", "true", "unshare", "grep", "mount", "hostname",
    "mkdir", "rm", "chmod", "perl",
)  # fmt: skip


def make_root(path: Path) -> Path:
    """Copy some of the host's programs with the libraries that they need."""
    for directory in ("bin", "etc", "tmp", "root", "proc", "dev"):
        (path / directory).mkdir(parents=True)
    for program in PROGRAMS:
        found = Path(shutil.which(program) or "")
        shutil.copy(found.resolve(), path / "bin" / program)
        for library in _libraries(found):
            target = path / library.relative_to("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(library, target)
    (path / "etc" / "passwd").write_text("root:x:0:0::/root:/bin/sh\n")
    for made in (path, *path.rglob("*")):
        if made.is_dir():
            made.chmod(0o755)
    (path / "tmp").chmod(0o1777)
    (path / "etc" / "resolv.conf").touch()
    return path


def _libraries(program: Path) -> list[Path]:
    listed = subprocess.run(["ldd", program], check=True, capture_output=True, text=True).stdout
    return [Path(name) for name in re.findall(r"(/\S+)", listed)]
