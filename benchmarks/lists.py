"""A page of `ticketstatus` while there are many tickets."""

from __future__ import annotations

import http.client
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.engines import django_in, scratch
from benchmarks.figures import Figure, median, milliseconds, tenth_worst
from tests.end_to_end.engine import running_engine

TICKETS = 100_000
PAGES = 40
#: What is asked for, and the words for it.
PAGE = {"ticketstatus/?limit=20": "first 20", "ticketstatus/?limit=20&offset=90000": "20 from 90,000 on"}


def run() -> list[Figure]:
    with scratch() as directory:
        with django_in(directory):
            _fill()
            queries = {_queries(limit) for limit in (1, 20, 100)}
        figures = [Figure("queries for a page of 1, 20 and 100 tickets", max(queries), "", "constant")]
        return [*figures, *_timed(directory)] if len(queries) == 1 else figures


def _fill() -> None:
    from django.db import transaction

    from ticket_system.models import SourcePackage, SourcePackageUpload, SubTicket, Ticket

    hello = SourcePackage.objects.create(name="hello")
    numbers = range(1, TICKETS + 1)
    tickets = (Ticket(pk=n, title="Greet the world", owner="alice@example.com") for n in numbers)
    uploads = (SourcePackageUpload(pk=n, sourcepackage=hello, version=f"1-{n}") for n in numbers)
    subtickets = (SubTicket(ticket_id=n, source_package_upload_id=n) for n in numbers)
    with transaction.atomic():
        Ticket.objects.bulk_create(tickets, batch_size=1000)
        SourcePackageUpload.objects.bulk_create(uploads, batch_size=1000)
        SubTicket.objects.bulk_create(subtickets, batch_size=1000)


def _queries(limit: int) -> int:
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as queries:
        answer = Client(SERVER_NAME="localhost").get(f"/api/v1/ticketstatus/?limit={limit}")
    assert len(answer.json()["objects"]) == limit, answer.content
    return len(queries)


def _timed(directory: Path) -> list[Figure]:
    figures = []
    with running_engine(directory) as engine:
        connection = http.client.HTTPConnection(urlsplit(engine.url).netloc)

        def get(path: str) -> None:
            connection.request("GET", f"/api/v1/{path}")
            answer = connection.getresponse()
            assert (answer.status, bool(answer.read())) == (200, True)

        for path, words in PAGE.items():
            get(path)
            took = milliseconds(lambda path=path: get(path), PAGES)  # type: ignore[misc]
            note = f"median of {PAGES} over HTTP; nine of ten below {tenth_worst(took):.0f} ms"
            name = f"a page of ticketstatus of {TICKETS:,} tickets, {words}"
            figures.append(Figure(name, median(took), "ms", "< 50 ms", note))
    return figures
