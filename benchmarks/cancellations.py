"""How soon a ticket ends that is cancelled in each of its stages, on the real engine."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from benchmarks.engines import scratch
from benchmarks.figures import Figure, median
from benchmarks.idle_tickets import submit
from tests.cache import TEST_CACHE
from tests.ci_utils.source_package.uploads import SigningKey, throw_away_key
from tests.end_to_end.engine import Engine, until
from tests.end_to_end.shared_parts import prepared
from tests.faults.conftest import mortal_engine
from tests.source_packages import SourcePackage

TRIES = 3
WORK = "sleep 600"
POLL_SECONDS = 0.05
#: From what a stage says at its beginning into the work itself.
INTO_WORK_SECONDS = 4
#: Of a stage: what its ticket says once it is there.
BEGINNINGS = {
    "building": "building {name}",
    "putting the image together": "installing the packages in the image",
    "booting": "booting the image",
    "testing": "testing {name}",
}


def run() -> list[Figure]:
    took: defaultdict[str, list[float]] = defaultdict(list)
    with (
        scratch() as directory,
        throw_away_key("Uploader <uploader@example.com>") as key,
        mortal_engine(prepared(TEST_CACHE / "engine"), key) as engine,
    ):
        for number in range(TRIES):
            for stage, seconds in _cancelled_once(engine, key, directory, number):
                took[stage].append(seconds)
    return [
        Figure(
            f"cancelled while {stage}",
            median(found),
            "s",
            "<= 10 s",
            f"{max(found):.1f} s at most of {TRIES}",
        )
        for stage, found in took.items()
    ]


def _cancelled_once(
    engine: Engine, key: SigningKey, directory: Path, number: int
) -> Iterator[tuple[str, float]]:
    """Cancel a ticket in each of its stages; the stage and the seconds until the ticket had ended."""
    for place, (stage, beginning) in enumerate(BEGINNINGS.items()):
        package = _endless_in(stage, f"endless{number}{place}")  # a version is seen once
        ticket = submit(engine, package.upload(directory, key), add=[package.name])
        _wait_for(engine, ticket, beginning.format(name=package.name))
        if stage == "building":
            waiting = SourcePackage(f"waiting{number}").upload(directory, key)
            yield "queued", _seconds_to_cancel(engine, submit(engine, waiting))
        time.sleep(INTO_WORK_SECONDS)
        yield stage, _seconds_to_cancel(engine, ticket)


def _endless_in(stage: str, name: str) -> SourcePackage:
    if stage == "building":
        return SourcePackage(name, build=WORK)
    if stage == "putting the image together":
        return SourcePackage(name, maintscripts={"postinst": f"#!/bin/sh\n{WORK}\n"})
    return SourcePackage(name, tests={"long": WORK})


def _wait_for(engine: Engine, ticket_id: int, beginning: str) -> None:
    def there() -> bool:
        ticket = engine.client.ticket(ticket_id)
        assert not ticket["ended_at"], ticket["message"]
        return beginning in ticket["message"]

    until(there, 400)


def _seconds_to_cancel(engine: Engine, ticket_id: int) -> float:
    began = time.perf_counter()
    engine.client.cancel(ticket_id)
    while not (ticket := engine.client.ticket(ticket_id))["ended_at"]:
        time.sleep(POLL_SECONDS)
    took = time.perf_counter() - began
    assert ticket["status"] == "998", ticket["message"]
    return took
