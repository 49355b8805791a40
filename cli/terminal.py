"""What `ubuntu-ci` says, and where: results on standard output, all else on standard error.

On a terminal transfers and tickets are shown as they move; otherwise plain
lines. Text from the engine can come from anybody: nothing of it reaches a
terminal as a control sequence.
"""

from __future__ import annotations

import io
import json
import logging
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import IntEnum

from rich import progress
from rich.console import Console

from ci_utils.clients.base import Progress

_NOT_PLAIN = re.compile(r"[^\x20-\x7e\n\t]")
#: Colours and carriage returns, which logs are full of; nothing else is left out without a mark.
_STEERING = re.compile(r"\x1b\[[0-9;]*m|\r")
_SECRET = re.compile(r"(signature=)[0-9a-fA-F]+")


class Verbosity(IntEnum):
    """How much is said."""

    ERRORS = 1
    NORMAL = 2
    EVERYTHING = 3


class _Results(Console):
    """Standard output: that its reader went away is told, and not an exit status of rich's own."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


class _Remarks(Console):
    """Standard error: that nobody reads along changes nothing."""

    def on_broken_pipe(self) -> None:
        self.quiet = True


class Terminal:
    """The two outputs of one run."""

    def __init__(self, verbosity: Verbosity) -> None:
        self.verbosity = verbosity
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="replace")  # a locale may lack letters that a title has
        self.out = _Results(highlight=False, markup=False, emoji=False, soft_wrap=True)
        self.err = _Remarks(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)
        if verbosity is Verbosity.EVERYTHING:
            _log_requests()

    @property
    def live(self) -> bool:
        """Whether what moves can be drawn: a person looks at a terminal that can."""
        return self.verbosity is Verbosity.NORMAL and self.out.is_terminal and not self.out.is_dumb_terminal

    def result(self, line: str) -> None:
        """What was asked for; said at any verbosity."""
        sys.stdout.write(f"{printable(line)}\n")

    def data(self, data: object) -> None:
        """What was asked for as one line of JSON in ASCII, which means nothing to a terminal."""
        self.result(json.dumps(data))

    def text(self, text: str) -> None:
        """A piece of a log, with its lines and tabs but without what steers terminals."""
        sys.stdout.write(printable_log(text))

    def raw(self, content: bytes) -> None:
        """A file for a program, byte by byte; a terminal gets it as a log."""
        if self.out.is_terminal:
            self.text(content.decode(errors="replace"))
            return
        sys.stdout.flush()
        sys.stdout.buffer.write(content)

    def flush(self) -> None:
        """Hand on what was said, for whoever reads along."""
        sys.stdout.flush()

    @contextmanager
    def last_words(self) -> Iterator[None]:
        """Around what is said when all is done: that nobody hears it changes nothing any more."""
        with suppress(BrokenPipeError):
            yield

    def say(self, line: str) -> None:
        """What goes on."""
        if self.verbosity >= Verbosity.NORMAL:
            self.err.print(printable(line))

    def error(self, line: str) -> None:
        """Why it did not work, in one sentence."""
        for part in line.split("\n"):
            self.err.print(f"ubuntu-ci: {printable(part)}", style="red")

    @contextmanager
    def transfer(self, name: str, verb: str) -> Iterator[Progress]:
        """Shows a file on its way; gives what is to be told of the bytes done and their total."""
        if not self.live:
            self.say(f"{verb} {name}")
            yield lambda done, total: None
            return
        columns = (
            progress.TextColumn("{task.description}", markup=False),
            progress.BarColumn(),
            progress.DownloadColumn(),
            progress.TransferSpeedColumn(),
        )
        with progress.Progress(*columns, console=self.err) as bars:
            task = bars.add_task(f"{verb} {printable(name)}", total=None)
            yield lambda done, total: bars.update(task, completed=done, total=total or None)


def printable(text: str) -> str:
    """Text with everything replaced that a terminal would not print as one character."""
    return "".join(
        c if c.isprintable() else " " if c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in text
    )


def printable_log(text: str) -> str:
    """Text of many lines with everything else removed or replaced that a terminal would not print."""
    return _NOT_PLAIN.sub(_shown, _STEERING.sub("", text))


def _shown(match: re.Match[str]) -> str:
    return match[0] if match[0].isprintable() else "\N{REPLACEMENT CHARACTER}"


class _WithoutSignatures(logging.Formatter):
    """Log lines without the part of a URL that is a permission."""

    def format(self, record: logging.LogRecord) -> str:
        return _SECRET.sub(r"\1…", super().format(record))


def _log_requests() -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(_WithoutSignatures("%(name)s: %(message)s"))
    logging.basicConfig(level=logging.DEBUG, handlers=[handler])
