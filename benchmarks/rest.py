"""Time until the engine serves, and its memory while it does nothing."""

from __future__ import annotations

import time

from benchmarks.engines import scratch
from benchmarks.figures import Figure, resident_mib
from tests.end_to_end.engine import running_engine

SETTLE_SECONDS = 5.0


def run() -> list[Figure]:
    with scratch() as directory:
        began = time.perf_counter()
        with running_engine(directory) as engine:
            first_start = time.perf_counter() - began
            engine.stop()
            began = time.perf_counter()
            engine.start()
            ready = time.perf_counter() - began
            assert engine.process
            time.sleep(SETTLE_SECONDS)
            idle = resident_mib(engine.process.pid)
    return [
        Figure(
            "ready to serve", ready, "s", "< 3 s", f"first start, with a new database: {first_start:.1f} s"
        ),
        Figure("memory at idle", idle, "MiB", "< 250 MiB"),
    ]
