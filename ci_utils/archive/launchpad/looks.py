"""Answers that are good for a while: Launchpad is not asked more often than anything changes there."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Looks(Generic[T]):
    """The last answer about each archive, for `seconds`."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        self._answers: dict[str, tuple[float, T]] = {}

    def at(self, archive: str, ask: Callable[[], T]) -> T:
        """What `ask` says, or what it said when it was last called for this archive."""
        with self._lock:
            asked_at, answer = self._answers.get(archive, (float("-inf"), None))
        if answer is not None and time.monotonic() - asked_at < self._seconds:
            return answer
        answer = ask()
        with self._lock:
            self._answers[archive] = (time.monotonic(), answer)
        return answer

    def forget(self, archive: str) -> None:
        """Ask anew: the engine has just changed something there."""
        with self._lock:
            self._answers.pop(archive, None)
