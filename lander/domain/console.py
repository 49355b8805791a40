"""The console log of a child job: lines with their time, only ever added, bounded."""

from __future__ import annotations

import re
from collections.abc import Iterable

from django.utils import timezone

from lander.models import ChildJob, ConsoleLine

MAX_LINES = 10_000
MAX_CHARACTERS = 1000

#: Messages pass on what builds and tests print; a log must not steer the terminal that shows it.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]+")


class Console:
    """Writes the console log of one child job."""

    def __init__(self, child: ChildJob) -> None:
        self._child = child
        self._lines = child.console.count()

    @property
    def last(self) -> str:
        """The line that was written last, if any: after a restart, where the work was."""
        if not self._lines:
            return ""
        return self._child.console.values_list("text", flat=True).last() or ""

    def write(self, text: str) -> None:
        """Add a line; once there are too many, one that says so and then no more."""
        self._lines += 1
        if self._lines > MAX_LINES:
            return
        line = _CONTROL.sub(" ", text)[:MAX_CHARACTERS]
        if self._lines == MAX_LINES:
            line = "the log is full; further lines are left out"
        ConsoleLine.objects.create(child=self._child, written_at=timezone.now(), text=line)


def stage_text(child: ChildJob, *, after: int = 0) -> str:
    """The console log of one child job without its first `after` lines."""
    return "".join(f"{line}\n" for line in child.console.all()[after:])


def console_text(children: Iterable[ChildJob]) -> str:
    """The console logs of these child jobs, one after another, each under its stage's name."""
    return "".join(
        "".join(f"{line}\n" for line in (f"== {child.stage}: {child.state}", *child.console.all()))
        for child in children
    )
