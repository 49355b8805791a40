"""The web pages while there are many tickets: how long the server takes, and how much a browser loads."""

from __future__ import annotations

import gzip
import http.client
import re
from collections.abc import Callable
from urllib.parse import urlsplit

from benchmarks.engines import django_in, scratch
from benchmarks.figures import Figure, cpu_of_process, median, milliseconds, tenth_worst
from tests.end_to_end.engine import running_engine

TICKETS = 10_000
LANDED = 40
PAGES = 40
STEPS = ("000", "1000", "1000", "1000", "1000", "1000", "1000", "999", "999", "100")
#: What is asked for, and the words for it.
PATHS = {
    "/": "the first page",
    "/?page=400": "the last page",
    "/?text=world+7": "text",
    "/?step=999&owner=alice": "failed ones of an owner",
    "/ticket/10000": "a ticket that landed",
    "/engine": "the engine",
}


def run() -> list[Figure]:
    with scratch() as directory:
        with django_in(directory):
            _fill()
        with running_engine(directory, UCI_LOG_LEVEL="warning") as engine:
            connection = http.client.HTTPConnection(urlsplit(engine.url).netloc)
            assert engine.process
            return [*_sizes(connection), *_times(connection, engine.process.pid)]


def _fill() -> None:
    """Tickets at every step; the last ones with all that a landing leaves behind."""
    from django.db import transaction
    from django.utils import timezone

    from tests.web_ui import exhibits
    from ticket_system.models import SourcePackage, SourcePackageUpload, SubTicket, Ticket

    hello = SourcePackage.objects.create(name="hello")
    numbers = range(1, TICKETS - LANDED + 1)
    now = timezone.now()
    tickets = (
        Ticket(
            pk=n,
            title=f"Greet the world {n}",
            owner="alice@example.com",
            current_workflow_step=STEPS[n % 10],
            ended_at=now if STEPS[n % 10] in ("999", "1000") else None,
        )
        for n in numbers
    )
    uploads = (SourcePackageUpload(pk=n, sourcepackage=hello, version=f"1-{n}") for n in numbers)
    subtickets = (SubTicket(ticket_id=n, source_package_upload_id=n) for n in numbers)
    with transaction.atomic():
        Ticket.objects.bulk_create(tickets, batch_size=1000)
        SourcePackageUpload.objects.bulk_create(uploads, batch_size=1000)
        SubTicket.objects.bulk_create(subtickets, batch_size=1000)
        for _ in range(LANDED):
            exhibits.run(exhibits.make_ticket(), ago=30)


def _sizes(connection: http.client.HTTPConnection) -> list[Figure]:
    page = _get(connection, "/")
    names = re.findall(rb'(?:href|src)="(/static/[^"]+)"', page)
    files = sum(len(gzip.compress(_get(connection, name.decode()))) for name in names)
    note = (
        f"{len(page) / 1000:.0f} kB of page, {files / 1000:.0f} kB of {len(names)} files, which browsers keep"
    )
    return [Figure("first view", (len(page) + files) / 1000, "kB", "< 100 kB", note)]


def _times(connection: http.client.HTTPConnection, pid: int) -> list[Figure]:
    figures = []
    for path, words in PATHS.items():
        _get(connection, path)
        spent = cpu_of_process(pid)
        took = milliseconds(_again(connection, path), PAGES)
        spent = (cpu_of_process(pid) - spent) / PAGES * 1000
        note = f"nine of ten below {tenth_worst(took):.0f} ms; {spent:.0f} ms of processor each"
        figures.append(Figure(f"{words}, of {TICKETS:,} tickets", median(took), "ms", "< 100 ms", note))
    return figures


def _again(connection: http.client.HTTPConnection, path: str) -> Callable[[], object]:
    return lambda: _get(connection, path)


def _get(connection: http.client.HTTPConnection, path: str) -> bytes:
    connection.request("GET", path)
    answer = connection.getresponse()
    content = answer.read()
    assert answer.status == 200, (path, answer.status, content[:500])
    return content
