"""The list of tickets, over the real API and without a server."""

from __future__ import annotations

import re
import socket
import time

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from ci_utils.clients.base import TIMEOUT_SECONDS, ServiceClient
from tests.web_ui.exhibits import make_ticket, run
from web_ui.domain import engine_page

pytestmark = pytest.mark.django_db

FIRST_VIEW_BYTES = 100_000


def titles(answer) -> list[str]:
    found = re.findall(
        r'class="title"[^>]*><span class="id">#\d+</span> ([^<]*)</a>', answer.content.decode()
    )
    return [title.strip() for title in found]


def test_tickets_are_listed_newest_first(visitor):
    make_ticket("First one")
    make_ticket("Second one")
    assert titles(visitor.get("/")) == ["Second one", "First one"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"text": "esperanto"}, ["Greet in Esperanto"]),
        ({"owner": "bob"}, ["Mend the clock"]),
        ({"source": "hello"}, ["Greet in Esperanto"]),
        ({"step": "1000"}, ["Mend the clock"]),
        ({"step": "nonsense"}, ["Mend the clock", "Greet in Esperanto"]),
        ({"text": "nothing like that"}, []),
        ({"page": "x"}, ["Mend the clock", "Greet in Esperanto"]),
        ({"text": "a\0b"}, []),
    ],
)
def test_filters(visitor, query, found):
    make_ticket("Greet in Esperanto")
    run(make_ticket("Mend the clock", owner="bob@example.com", sources=[("clock", "1-1")]))
    assert titles(visitor.get("/", query)) == found


def test_the_numbers_of_every_step_are_shown(visitor):
    make_ticket()
    run(make_ticket(), failed="build", message="it does not build")
    page = visitor.get("/").content.decode()
    for chip in ("All <b>2</b>", "New <b>1</b>", "Failed <b>1</b>", "Complete <b>0</b>"):
        assert chip in page


def test_pages_lead_to_each_other(visitor):
    for number in range(60):
        make_ticket(f"Ticket {number}", sources=[])
    middle = visitor.get("/", {"page": 2, "owner": "alice"})
    assert titles(middle)[0] == "Ticket 34"
    page = middle.content.decode()
    assert 'href="?owner=alice&amp;page=3"' in page
    assert 'href="?owner=alice" rel="prev"' in page


def test_the_queue_says_who_waits_for_whom(visitor):
    for _ in range(3):
        run(make_ticket("Done before"), ago=30)
    lands = make_ticket("It lands")
    run(lands, until="image", ago=0.5)
    waits = make_ticket("It waits", current_workflow_step="100")
    waits.queued_at = lands.queued_at
    waits.save()
    page = visitor.get("/").content.decode()
    assert "Landing now, and next" in page
    assert f"waits for ticket {lands.pk}" in page
    assert re.search(r"done in about \d+ to \d+ minutes|done in about \d+ minutes?", page)


@pytest.mark.parametrize(("address", "shown"), [("/", 6), ("/engine", 50)])
def test_of_a_long_queue_the_first_are_shown_and_the_others_counted(visitor, address, shown):
    for number in range(60):
        waits = make_ticket(f"Number {number}", sources=[], current_workflow_step="100")
        waits.queued_at = timezone.now()
        waits.save()
    page = visitor.get(address).content.decode()
    assert len(re.findall(r'id="q-\d+"', page)) == shown
    assert f"and {60 - shown} more" in page
    assert "waits for ticket" in visitor.get(f"/ticket/{waits.pk}").content.decode()


def test_a_service_that_says_nothing_is_not_waited_for_long(monkeypatch):
    monkeypatch.setattr(engine_page, "PATIENCE_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        client = ServiceClient(f"http://127.0.0.1:{silent.getsockname()[1]}")
        began = time.monotonic()
        (service,) = engine_page.read_services({"lander": client})
    assert service.word == "away"
    assert time.monotonic() - began < TIMEOUT_SECONDS - 1


def test_private_tickets_are_for_their_submitter_and_operators(visitor, alice, bob, oscar):
    make_ticket("Quokka", private=True, submitter="alice", sources=[("quokka", "1-1")])
    assert titles(visitor.get("/")) == titles(bob.get("/")) == []
    assert titles(alice.get("/")) == titles(oscar.get("/")) == ["Quokka"]
    assert "All <b>0</b>" in visitor.get("/").content.decode()


def test_one_ticket_takes_as_many_queries_as_three_and_a_page_is_small(visitor):
    numbers, sizes = [], []
    visitor.get("/")
    for tickets in (1, 2, 60):
        for _ in range(tickets):
            make_ticket(
                "A title of usual length, as people write them", sources=[("hello", "1"), ("glibc", "2")]
            )
        with CaptureQueriesContext(connection) as queries:
            answer = visitor.get("/")
        numbers.append(len(queries))
        sizes.append(len(answer.content))
    assert numbers[0] == numbers[1] == numbers[2]
    files = re.findall(r'(?:href|src)="(/static/[^"]+)"', answer.content.decode())
    static = {name: len(visitor.get(name, headers={"accept-encoding": "gzip"}).content) for name in files}
    assert len(static) == 3
    assert sizes[-1] + sum(static.values()) < FIRST_VIEW_BYTES
