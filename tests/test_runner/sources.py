"""Source packages with DEP-8 tests, not meant to be built."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

CONTROL = """\
Source: {name}
Section: misc
Priority: optional
Maintainer: Tests <tests@example.com>
Standards-Version: 4.6.2

Package: {name}
Architecture: all
Description: made for a test
"""


def make_source(directory: Path, name: str, tests_control: str, scripts: Mapping[str, str] = {}) -> Path:
    """Make a source package; `tests_control` is its debian/tests/control. The path of its .dsc."""
    tree = directory / f"{name}-1.0"
    changelog = f"{name} (1.0) unstable; urgency=low\n\n  * First.\n\n -- Tests <tests@example.com>  "
    files = {
        "debian/changelog": f"{changelog}Mon, 02 Nov 2026 10:00:00 +0000\n",
        "debian/control": CONTROL.format(name=name),
        "debian/rules": "#!/usr/bin/make -f\n%:\n",
        "debian/source/format": "3.0 (native)\n",
    }
    if tests_control:
        files["debian/tests/control"] = tests_control
    files |= {f"debian/tests/{script}": f"#!/bin/sh\n{text}\n" for script, text in scripts.items()}
    for path, text in files.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_text(text)
        (tree / path).chmod(0o755 if text.startswith("#!") else 0o644)
    subprocess.run(["dpkg-source", "--build", tree.name], cwd=directory, check=True, capture_output=True)
    return directory / f"{name}_1.0.dsc"
