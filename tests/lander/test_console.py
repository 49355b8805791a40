from __future__ import annotations

import pytest

from lander.domain import console, jobs
from lander.domain.console import Console, console_text

pytestmark = pytest.mark.django_db


def _lines(child) -> list[str]:
    return list(child.console.values_list("text", flat=True))


def test_lines_are_added_with_their_time_and_without_control_characters(job):
    child = jobs.child_of(job, "build")
    Console(child).write("building \x1b[31mhello\x1b[0m\n now")
    assert _lines(child) == ["building  [31mhello [0m  now"]
    (header, line) = console_text([child]).splitlines()
    assert header == "== build: QUEUED"
    assert line.endswith("Z building  [31mhello [0m  now")


def test_a_console_is_bounded_also_over_a_restart(job, monkeypatch):
    monkeypatch.setattr(console, "MAX_LINES", 3)
    monkeypatch.setattr(console, "MAX_CHARACTERS", 10)
    child = jobs.child_of(job, "build")
    for _ in range(2):
        first = Console(child)
        first.write("x" * 50)
        first.write("y")
    assert _lines(child) == ["x" * 10, "y", "the log is full; further lines are left out"]
