"""What an overview of all tickets asks for: text, numbers per step, and the queue with its estimates."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from ci_utils.api.tokens import Principal, Scope
from ticket_system.domain.queue_estimates import queue
from ticket_system.models import SourcePackage, SourcePackageUpload, Status, SubTicket, Ticket, WorkflowStep

pytestmark = pytest.mark.django_db

OPERATOR = Principal("oscar", (Scope.OPERATE,))

NOW = timezone.now()


@pytest.fixture(autouse=True)
def _time_stands_still(monkeypatch):
    """Estimates count from now: they are the same however long a test takes."""
    monkeypatch.setattr(timezone, "now", lambda: NOW)


def make(title: str = "Land it", source: str = "", **fields) -> Ticket:
    ticket = Ticket.objects.create(**{"owner": "alice@example.com", "title": title, **fields})
    if source:
        package, _ = SourcePackage.objects.get_or_create(name=source)
        upload = SourcePackageUpload.objects.create(sourcepackage=package, version=f"1-{ticket.pk}")
        SubTicket.objects.create(ticket=ticket, source_package_upload=upload)
    return ticket


def landed(minutes: float) -> Ticket:
    """A ticket that took so many minutes from its first build to its end."""
    now = timezone.now()
    ticket = make(
        current_workflow_step=WorkflowStep.COMPLETE, status=Status.DONE, queued_at=now, ended_at=now
    )
    began = ticket.history.create(workflow_step=WorkflowStep.PACKAGE_BUILDING, status=Status.RUNNING)
    ticket.history.filter(pk=began.pk).update(changed_at=now - timedelta(minutes=minutes))
    return ticket


def queued(*, began_minutes_ago: float | None = None, **fields) -> Ticket:
    step = WorkflowStep.QUEUED if began_minutes_ago is None else WorkflowStep.IMAGE_BUILDING
    ticket = make(current_workflow_step=step, queued_at=timezone.now(), **fields)
    if began_minutes_ago is not None:
        began = ticket.history.create(workflow_step=WorkflowStep.PACKAGE_BUILDING, status=Status.RUNNING)
        at = timezone.now() - timedelta(minutes=began_minutes_ago)
        ticket.history.filter(pk=began.pk).update(changed_at=at)
    return ticket


def places(client):
    return client.get("queue/").json()["objects"]


@pytest.mark.parametrize("text", ["greet", "GREET world", "numbat", "bob@", "1234", "world bob"])
def test_text_is_found_in_what_people_look_for(nobody, text):
    wanted = make("Greet the world", source="numbat-tools", owner="bob@example.com", bug_id="1234")
    make("Something else", source="hello")
    found = nobody.get("ticketstatus/", text=text).json()["objects"]
    assert [ticket["id"] for ticket in found] == [wanted.pk]


def test_text_finds_nothing_of_what_is_hidden(nobody, submitter):
    make("Greet the quokka", private=True, submitter="alice")
    assert nobody.get("ticketstatus/", text="quokka").json()["objects"] == []
    assert len(submitter.get("ticketstatus/", text="quokka").json()["objects"]) == 1


def test_tickets_are_counted_by_step_and_status_without_hidden_ones(nobody, operator):
    make()
    make(current_workflow_step=WorkflowStep.FAILED, status=Status.CANCELLED)
    make(private=True, submitter="alice")

    def counted(client):
        return {tuple(count.values()) for count in client.get("ticketcounts/").json()["objects"]}

    assert counted(nobody) == {("000", "000", 1), ("999", "998", 1)}
    assert counted(operator) == {("000", "000", 2), ("999", "998", 1)}


def test_the_queue_has_what_lands_before_what_waits(nobody):
    waits, lands, waits_too = queued(), queued(began_minutes_ago=1), queued()
    make()  # is not queued
    found = places(nobody)
    assert [(p["position"], p["ticket"]) for p in found] == [(1, lands.pk), (2, waits.pk), (3, waits_too.pk)]
    assert [p["waits_for"] for p in found] == [None, lands.pk, waits.pk]


def test_without_experience_there_is_no_estimate(nobody):
    landed(5)
    queued()
    assert [(p["starts_in"], p["ends_in"]) for p in places(nobody)] == [(None, None)]


def test_estimates_are_ranges_of_what_recent_landings_took(nobody):
    for minutes in (4, 6, 8, 10, 100):
        landed(minutes)
    queued(began_minutes_ago=2)
    queued()
    lands, waits = places(nobody)
    assert lands["starts_in"] is None
    assert lands["ends_in"] == {"least": 240, "most": 480}
    assert waits["starts_in"] == lands["ends_in"]
    assert waits["ends_in"] == {"least": 600, "most": 1080}


def test_several_at_once_wait_for_the_one_that_ends_first():
    for _ in range(3):
        landed(10)
    slow, quick = queued(began_minutes_ago=1), queued(began_minutes_ago=8)
    first, second = queued(), queued()
    found = {place.ticket.pk: place for place in queue(by=OPERATOR, at_once=2)}
    assert found[first.pk].waits_for == quick
    assert found[second.pk].waits_for == slow
    starts = [found[ticket.pk].starts for ticket in (first, second)]
    assert [start and start.most for start in starts] == [120, 540]


def test_what_takes_longer_than_usual_may_end_at_once(nobody):
    for _ in range(3):
        landed(1)
    queued(began_minutes_ago=60)
    assert places(nobody)[0]["ends_in"] == {"least": 0, "most": 0}


def test_hidden_tickets_have_their_place_and_are_not_named(nobody, operator):
    hidden = queued(began_minutes_ago=1, private=True, submitter="alice")
    shown = queued()
    assert [(p["ticket"], p["position"], p["waits_for"]) for p in places(nobody)] == [(shown.pk, 2, None)]
    assert [p["ticket"] for p in places(operator)] == [hidden.pk, shown.pk]


def test_the_head_of_the_queue_and_the_place_of_one_ticket_come_alone(nobody):
    tickets = [queued() for _ in range(5)]
    head = nobody.get("queue/", limit=2).json()
    assert [place["ticket"] for place in head["objects"]] == [tickets[0].pk, tickets[1].pk]
    assert head["meta"] == {"total_count": 5}
    (place,) = nobody.get("queue/", ticket=tickets[3].pk).json()["objects"]
    assert (place["ticket"], place["position"]) == (tickets[3].pk, 4)
    for nowhere in (0, tickets[4].pk + 1, 2**31):
        assert nobody.get("queue/", ticket=nowhere).json()["objects"] == []


@pytest.mark.parametrize("query", [{"limit": "x"}, {"limit": "-1"}, {"ticket": "1" * 30}, {"ticket": ""}])
def test_a_part_of_the_queue_that_makes_no_sense_is_refused(nobody, query):
    assert nobody.get("queue/", **query).status_code == 400


@pytest.mark.parametrize("path", ["queue/", "ticketcounts/", "ticketstatus/?text=it"])
def test_one_ticket_takes_as_many_queries_as_three(operator, path):
    counts = []
    for tickets in (1, 2):
        for _ in range(tickets):
            queued(source="hello")
            landed(3)
        with CaptureQueriesContext(connection) as queries:
            assert operator.get(path).status_code == 200
        counts.append(len(queries))
    assert counts[0] == counts[1]
