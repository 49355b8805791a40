"""The engine's own time on a ticket whose steps do nothing, all stages."""

from __future__ import annotations

from benchmarks.figures import Figure, cpu_of_process, median, tenth_worst
from benchmarks.idle_tickets import idle_engine, seconds_by_step, seconds_in_the_engine

TICKETS = 20


def run() -> list[Figure]:
    with idle_engine() as tickets:
        assert tickets.engine.process
        process = tickets.engine.process.pid
        tickets.landed(tickets.submit())
        cpu = cpu_of_process(process)
        landed = [tickets.landed(tickets.submit()) for _ in range(TICKETS)]
        cpu = (cpu_of_process(process) - cpu) / TICKETS
    took = [seconds_in_the_engine(ticket) for ticket in landed]
    note = f"median of {TICKETS}; nine of ten below {tenth_worst(took):.2f} s"
    figures = [
        Figure("a ticket whose steps do nothing, queued to complete", median(took), "s", "< 0.2 s", note)
    ]
    steps = [seconds_by_step(ticket) for ticket in landed]
    figures += [
        Figure(f"of that {name}", median([step[name] for step in steps]), "s")
        for name in steps[0]
        if name != "New"
    ]
    return [*figures, Figure("processor time of such a ticket, submission included", cpu, "s")]
