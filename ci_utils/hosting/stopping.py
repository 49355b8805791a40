"""How the engine's processes hear that they should stop."""

from __future__ import annotations

import signal
import socket
from types import FrameType

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Asked:
    """Hears SIGTERM and SIGINT from now on; for the main thread.

    Not an event that a handler sets: Python runs handlers between two steps of
    the main thread, so one that comes just before the thread begins to wait is
    not run until the next signal, and one that comes while the thread holds
    the event's own lock waits for that lock for ever. The byte that the
    interpreter itself sends for each signal is there for whoever waits.
    """

    def __init__(self) -> None:
        self._asked = False
        self._heard, told = socket.socketpair()
        told.setblocking(False)
        self._told = told  # kept open: the interpreter knows its number only
        signal.set_wakeup_fd(told.fileno(), warn_on_full_buffer=False)
        for number in _SIGNALS:
            signal.signal(number, self._note)

    def wait(self) -> None:
        """Return once one has come."""
        while not self._asked:
            self._heard.recv(1)

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        self._asked = True


def no_more() -> None:
    """Hear no more, once all is stopped: who asks a second time does not change the exit status.

    Python sets handlers back to the default before it frees its modules, which
    takes tens of milliseconds; what is ignored stays ignored.
    """
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)
