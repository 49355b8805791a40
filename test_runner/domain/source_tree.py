"""Unpacks a source package in the workshop and reads which tests it declares."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ci_utils.apt.mirror import architecture
from ci_utils.commands import tool_missing
from ci_utils.errors import StageFailed, TimedOut
from ci_utils.sandbox.sandbox import Bind
from test_runner.domain.dep8 import DeclaredTests, read_tests, uses_autodep8
from test_runner.domain.workshop import WORK, Workshop

SOURCE = "/run/source"
TREE = f"{WORK}/tree"
MAX_CONTROL_BYTES = 1 << 20
READING_SECONDS = 60


@dataclass(frozen=True)
class SourceTree:
    """An unpacked source, `tree` as programs in its workshop see it."""

    name: str
    workshop: Workshop
    tests: DeclaredTests
    tree: str = TREE


def unpack(
    name: str, dsc: Path, workshop: Workshop, *, log: BinaryIO, cancelled: Callable[[], bool]
) -> SourceTree:
    """Unpack the source package `name`, whose files lie beside `dsc`.

    Raises `StageFailed` with a sentence that names the source if that cannot
    be done or its list of tests cannot be read.
    """
    status = workshop.run(
        ["dpkg-source", "--no-check", "--no-copy", "--extract", f"{SOURCE}/{dsc.name}", TREE],
        log=log,
        binds=[Bind(dsc.parent, SOURCE)],
        cancelled=cancelled,
    )
    if status:
        raise StageFailed(f"the source package {name} cannot be unpacked to run its tests; see the log")
    try:
        tests = _declared_tests(workshop)
    except (StageFailed, TimedOut) as error:
        raise StageFailed(f"{name}: {error.message}") from None
    if not tests.build_needed:
        # autopkgtest takes such a tree as built, and spares the machine dpkg-dev and another unpacking.
        workshop.run(["touch", f"{TREE}/debian/files"], log=log)
    return SourceTree(name, workshop, tests)


def _declared_tests(workshop: Workshop) -> DeclaredTests:
    control = _text(workshop, "debian/control")
    declared = _text(workshop, "debian/tests/control")
    generated = uses_autodep8(control)
    if generated or not declared:
        if not shutil.which("autodep8"):
            # Without it autopkgtest would find fewer tests, or none, and not say why.
            raise tool_missing("autodep8")
        declared = _output(workshop, ["autodep8"]) or declared
    return read_tests(declared, control, architecture=architecture())


def _text(workshop: Workshop, path: str) -> str:
    """A file of the tree, empty if there is none; links in the tree lead nowhere outside the workshop."""
    return _output(workshop, ["head", "-c", str(MAX_CONTROL_BYTES), "--", path])


def _output(workshop: Workshop, argv: list[str]) -> str:
    with tempfile.TemporaryFile() as output:
        if workshop.output(argv, output, cwd=TREE, timeout=READING_SECONDS):
            return ""
        output.seek(0)
        return output.read(MAX_CONTROL_BYTES).decode(errors="replace")
