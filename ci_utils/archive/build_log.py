"""A build log as sbuild writes it: people and programs know its headings."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

WIDTH = 78


class BuildLog:
    """The log of one build, written as it happens.

    `stream` is for programs that write to it directly; nothing is buffered.
    """

    def __init__(self, path: Path) -> None:
        self.stream: BinaryIO = path.open("wb", buffering=0)
        self._started = time.monotonic()
        self._stage = "chroot"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stream.close()

    def begin(self, source: str, version: str, *, architecture: str, distribution: str) -> None:
        """The banner and the facts of the build."""
        date = format_datetime(datetime.now(UTC))
        title = f"{source} {version} ({architecture})"
        self.line(_boxed(f"{title} {date:>{WIDTH - 3 - len(title)}}", "="))
        self.line(
            f"Package: {source}\nVersion: {version}\nSource Version: {version}\n"
            f"Distribution: {distribution}\nMachine Architecture: {architecture}\n"
            f"Host Architecture: {architecture}\nBuild Architecture: {architecture}\nBuild Type: binary\n"
        )

    def heading(self, title: str, stage: str) -> None:
        """Begin a part; `stage` is what the summary names if it fails."""
        self._stage = stage
        self.line("\n" + _boxed(title, "-"))

    def line(self, text: str) -> None:
        """Write a line."""
        self.stream.write(text.encode(errors="replace") + b"\n")

    def end(self, status: str, reason: str = "") -> None:
        """The summary: `successful`, `attempted` (the package's fault) or `failed`."""
        self.heading("Summary", self._stage)
        if reason:
            self.line(f"Fail-Reason: {reason}\nFail-Stage: {self._stage}")
        self.line(f"Build-Time: {time.monotonic() - self._started:.0f}\nStatus: {status}")


def _boxed(text: str, rule: str) -> str:
    edge = f"+{rule * WIDTH}+"
    return f"{edge}\n| {text:<{WIDTH - 2}} |\n{edge}\n"
