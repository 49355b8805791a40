"""Services apart on PostgreSQL and RabbitMQ: tickets landed with more and more workers, and long queues.

The curve is of tickets whose builds, images and tests are nothing but waiting:
for no time at all (then the engine's own work fills the processors) and for a
second each (then workers wait, as they do for real builds). Archives are the
local ones, with their signatures.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg2

from benchmarks.engines import django_in, scratch
from benchmarks.figures import Figure, median, milliseconds, spent, tenth_worst
from tests.ci_utils.source_package.uploads import Upload, throw_away_key
from tests.harness import servers
from tests.harness.services import SERVICES, Stack, services_apart

PROGRAM = (sys.executable, "-m", "tests.faults.distributed.stub_engine")
WORKERS = (1, 2, 4, 8)
#: Seconds that each of a ticket's four steps takes, and how many tickets are landed per number of workers.
TICKETS = {"0": 16, "1": 16}
LANDING_SECONDS = 600
WAITING = 50_000
DUPLICATES = 25_000
CLAIMS = 200


def run() -> list[Figure]:
    with servers.postgresql_server() as postgresql, servers.rabbitmq_server() as rabbitmq:
        with scratch() as directory:
            curve = [*_curve(directory, postgresql.url, rabbitmq.url)]
        with scratch() as directory:
            settings = {"UCI_DATABASE": postgresql.url, "UCI_BROKER": rabbitmq.url}
            with django_in(directory, **settings):
                return [*curve, *_claims(), *_duplicates(rabbitmq.url)]


def _curve(directory: Path, postgresql: str, broker: str) -> Iterator[Figure]:
    settings = {"UCI_LOG_LEVEL": "warning", "UCI_POOL_SIZE": "24", "UCI_CONCURRENT_TICKETS": "8"}
    stack = Stack(directory, postgresql, broker, settings, PROGRAM)
    with services_apart(stack, show=lambda _: None), throw_away_key("Alice <alice@example.com>") as key:
        public = directory / "uploader.asc"
        public.write_bytes(key.public("--armor"))
        stack.command("uploader", "add", public)
        sources = iter(range(10_000))
        for seconds, tickets in TICKETS.items():
            for workers in WORKERS:
                uploads = [
                    Upload(source=f"source{next(sources)}").write(directory / "uploads", key)
                    for _ in range(tickets)
                ]
                before = _activity(postgresql)
                yield _landed(stack, uploads, workers, seconds)
        after = _activity(postgresql)
        for name, unit in (("transactions", "xact_commit"), ("rows added", "tup_inserted")):
            per_ticket = (after[unit] - before[unit]) / tickets
            yield Figure(
                f"{name} per ticket", per_ticket, "", "", "all databases, with what asks while it waits"
            )


def _landed(stack: Stack, uploads: list[Path], workers: int, seconds: str) -> Figure:
    """Queue tickets while nobody works, then let so many workers of each service work them off."""
    for unit in [unit for unit in stack.units if unit.process and unit.arguments[0] == "worker"]:
        unit.stop()
    numbers = [_submit(stack, changes) for changes in uploads]
    at_once = {"UCI_CONCURRENT_TICKETS": str(workers), "UCI_WORKER_THREADS": str(workers)}
    stack.settings = {**stack.settings, **at_once, "STUB_SECONDS": seconds}
    for service in (*(name for name in SERVICES if name != "lander"), "lander"):
        stack.unit(service, "worker", service).wait()
    landed = [_wait_for_end(stack, number) for number in numbers]
    jobs = [job for n in numbers for job in stack.client("lander").get("job/", ticket_id=n)["objects"]]
    began = min(datetime.fromisoformat(job["started_at"]) for job in jobs)
    ended = max(datetime.fromisoformat(ticket["ended_at"]) for ticket in landed)
    rate = len(numbers) / (ended - began).total_seconds()
    note = f"{len(numbers)} tickets; load of the machine {os.getloadavg()[0]:.0f}"
    return Figure(f"tickets landed, {workers} workers, steps of {seconds} s", rate * 60, "/min", "", note)


def _activity(postgresql: str) -> dict[str, int]:
    """What the server has done so far, in all databases."""
    time.sleep(1)  # it adds up after a moment
    connection = psycopg2.connect(postgresql)
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT sum(xact_commit)::int, sum(tup_inserted)::int FROM pg_stat_database")
            return dict(zip(("xact_commit", "tup_inserted"), cursor.fetchone(), strict=True))
    finally:
        connection.close()


def _submit(stack: Stack, changes: Path) -> int:
    client = stack.tickets
    source = {"changes_name": changes.name, "changes": changes.read_text()}
    bundle = client.create_bundle({"owner": "alice@example.com", "title": changes.name, "sources": [source]})
    for name, url in bundle["sources"][0]["uploads"].items():
        client.upload(url, changes.parent / name)
    client.queue(bundle["id"])
    return int(bundle["id"])


def _wait_for_end(stack: Stack, number: int) -> dict[str, Any]:
    deadline = time.monotonic() + LANDING_SECONDS
    while not (ticket := stack.tickets.ticket(number))["ended_at"]:
        assert time.monotonic() < deadline, ticket
        time.sleep(0.5)
    assert ticket["current_workflow_step"] == "1000", ticket
    return ticket


def _claims() -> Iterator[Figure]:
    from ci_utils.work_queue import requests, turns
    from ci_utils.work_queue.models import WorkRequest

    lease = timedelta(minutes=1)
    limits = turns.Turns(2 * CLAIMS, lambda payload: [payload["ticket"]])
    queued = 0
    for waiting in (1000, WAITING):
        rows = (
            WorkRequest(queue=queue, key=f"ticket-{n}", payload={"ticket": str(n)})
            for n in range(queued, waiting)
            for queue in ("image_builder", "lander")
        )
        WorkRequest.objects.bulk_create(rows, batch_size=1000)
        queued = waiting
        for words, claim in (
            ("a claim", lambda: requests.claim("image_builder", "benchmark", lease=lease)),
            ("a claim in turn", lambda: turns.claim("lander", "benchmark", limits, lease=lease)),
        ):
            taken = milliseconds(claim, CLAIMS)
            note = f"PostgreSQL; median of {CLAIMS}; nine of ten below {tenth_worst(taken):.1f} ms"
            yield Figure(f"{words} among {waiting:,} queued requests", median(taken), "ms", "< 10 ms", note)


def _duplicates(broker_url: str) -> Iterator[Figure]:
    from ci_utils.work_queue import requests
    from ci_utils.work_queue.broker import Broker
    from ci_utils.work_queue.models import WorkRequest

    broker = Broker(broker_url)

    def accept_all() -> None:
        for _ in range(DUPLICATES):
            requests.accept("image_builder", "lander-1-image", {"ticket_id": 1}, broker=broker)

    took = spent(accept_all)
    broker.close()
    held = WorkRequest.objects.filter(key="lander-1-image").count()
    yield Figure(
        f"rows after {DUPLICATES:,} duplicates of one request", held, "", "1", "PostgreSQL, RabbitMQ"
    )
    note = f"{took.cpu:.1f} s of processor in all"
    yield Figure("duplicates accepted", DUPLICATES / took.wall, "/s", "", note)
