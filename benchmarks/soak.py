"""Time until the engine serves, and its memory, at first and after a thousand tickets."""

from __future__ import annotations

import time

from benchmarks.engines import scratch
from benchmarks.figures import Figure, resident_mib
from benchmarks.idle_tickets import IdleTickets, idle_engine
from tests.end_to_end.engine import running_engine

TICKETS = 1000
#: The soak ends after this, however many tickets it has landed.
SECONDS = 900
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
        *_soak(),
    ]


def _soak() -> list[Figure]:
    with idle_engine() as tickets:
        engine = tickets.engine
        assert engine.process
        memory = []
        began = time.monotonic()
        landed = 0
        while landed < TICKETS and time.monotonic() - began < SECONDS:
            landed += _land(tickets, 20)
            memory.append(resident_mib(engine.process.pid))
        rate = landed / (time.monotonic() - began)
        engine.stop()
        restart = time.perf_counter()
        engine.start()
        restarted = time.perf_counter() - restart
    note = f"{memory[0]:.0f} MiB after 20, {memory[len(memory) // 2]:.0f} half way"
    return [
        Figure(
            f"memory after {landed:,} no-op tickets",
            memory[-1],
            "MiB",
            "does not grow",
            note,
        ),
        Figure("no-op tickets landed", rate, "/s"),
        Figure(f"ready to serve after {landed:,} tickets", restarted, "s", "< 3 s"),
    ]


def _land(tickets: IdleTickets, count: int) -> int:
    for number in [tickets.submit() for _ in range(count)]:
        tickets.landed(number)
    return count
