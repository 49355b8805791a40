"""Slows down who guesses passwords.

Every address and every name has a few failed tries, which come back with time.
Nothing is looked at beyond them, a right password no more than a wrong one:
otherwise guessing would go on. Memory is bounded, and of this process only.
"""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from ci_utils.api.throttling import network_of
from ci_utils.errors import TooManyRequests

SECONDS_PER_TRY = 30
TRIES_OF_ADDRESS = 10
#: More than of one address: nobody locks another out from there alone.
TRIES_OF_NAME = 30
MAX_REMEMBERED = 10_000


class LoginThrottle:
    """Failed log-ins by address and by name. `clock` counts seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        #: When each will have all its tries back.
        self._recovered_at: OrderedDict[tuple[str, str], float] = OrderedDict()

    def admit(self, address: str, name: str) -> None:
        """Raise `TooManyRequests` if no try is left; otherwise take one, which `succeeded` gives back."""
        with self._lock:
            now = self._clock()
            keys = self._keys(address, name)
            wait = max(
                self._recovered_at.get(key, now) - now - (tries - 1) * SECONDS_PER_TRY for key, tries in keys
            )
            if wait > 0:
                seconds = math.ceil(wait)
                raise TooManyRequests(
                    f"too many wrong passwords; try again in {seconds} seconds", retry_after=seconds
                )
            for key, _ in keys:
                self._recovered_at[key] = max(now, self._recovered_at.pop(key, now)) + SECONDS_PER_TRY
            while len(self._recovered_at) > MAX_REMEMBERED:
                self._recovered_at.popitem(last=False)

    def succeeded(self, address: str, name: str) -> None:
        """Give the try of a right password back."""
        with self._lock:
            for key, _ in self._keys(address, name):
                if key in self._recovered_at:
                    self._recovered_at[key] -= SECONDS_PER_TRY

    def forget(self) -> None:
        """Begin anew."""
        with self._lock:
            self._recovered_at.clear()

    @staticmethod
    def _keys(address: str, name: str) -> list[tuple[tuple[str, str], int]]:
        return [
            (("address", network_of(address)), TRIES_OF_ADDRESS),
            (("name", name.casefold()[:200]), TRIES_OF_NAME),
        ]
