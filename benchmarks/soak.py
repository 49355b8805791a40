"""The engine's memory, and its start, after a thousand tickets whose steps do nothing."""

from __future__ import annotations

import time

from benchmarks.figures import Figure, resident_mib
from benchmarks.idle_tickets import IdleTickets, idle_engine

TICKETS = 1000
#: The soak ends after this, however many tickets it has landed.
SECONDS = 900


def run() -> list[Figure]:
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
