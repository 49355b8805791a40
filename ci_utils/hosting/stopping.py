"""How the engine's processes hear that they should stop."""

from __future__ import annotations

import signal
import threading

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def asked() -> threading.Event:
    """An event that SIGTERM and SIGINT set from now on."""
    stop = threading.Event()
    for number in _SIGNALS:
        signal.signal(number, lambda *_: stop.set())
    return stop


def done() -> None:
    """Call it when all is stopped: whoever asks a second time does not change the exit status.

    Python sets handlers back to the default before it frees its modules, which
    takes tens of milliseconds; what is ignored stays ignored.
    """
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)
