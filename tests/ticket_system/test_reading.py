"""Reading tickets: lists with filters, order and pages; private tickets; the cost of it."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.ci_utils.source_package.uploads import Upload
from tests.ticket_system.submission import TICKET
from ticket_system.models import Status, Ticket, WorkflowStep

LISTS = [
    "ticket/",
    "opentickets/",
    "ticketstatus/",
    "spu/",
    "sourcepackage/",
    "binarypackage/",
    "subticket/",
    "ticketartifact/",
    "subticketartifact/",
]


def made(count: int = 1, **fields: object) -> list[Ticket]:
    """Tickets as they are in the database, whatever way they took."""
    defaults = {"owner": "alice@example.com", "title": "Greet", "submitter": "alice", "series": "bookworm"}
    return [Ticket.objects.create(**{**defaults, **fields}) for _ in range(count)]


def listed(client, path: str = "ticketstatus/", **params: object) -> list[int]:
    response = client.get(path, **params)
    assert response.status_code == 200, response.content
    return [ticket["id"] for ticket in response.json()["objects"]]


@pytest.mark.parametrize("step", [step for step in WorkflowStep if step != WorkflowStep.NEW])
def test_tickets_are_listed_by_step(nobody, step):
    for other in WorkflowStep:
        made(current_workflow_step=other)
    assert listed(nobody, current_workflow_step=step) == [Ticket.objects.get(current_workflow_step=step).pk]
    assert len(listed(nobody)) == len(WorkflowStep)


def test_tickets_are_filtered_by_what_people_look_for(nobody, submission):
    ticket_id = submission.uploaded(title="Landing the new HELLO", owner="carol@example.com")
    made()
    for params in (
        {"owner": "carol@example.com"},
        {"owner__icontains": "CAROL"},
        {"title__icontains": "new hello"},
        {"source": "hello"},
        {"bug_id": "12345"},
        {"id__gte": ticket_id, "id__lte": ticket_id},
        {"owner": "carol@example.com", "current_workflow_step__in": "000,100", "status": "000"},
    ):
        assert listed(nobody, **params) == [ticket_id], params
    assert listed(nobody, source="bye") == []
    assert listed(nobody, title__icontains="bye") == []


def test_the_newest_ticket_comes_first_unless_told_otherwise(nobody):
    first, second = made(2)
    assert listed(nobody) == [second.pk, first.pk]
    assert listed(nobody, order_by="id") == [first.pk, second.pk]


def test_a_list_comes_in_pages(nobody):
    tickets = [ticket.pk for ticket in made(5)]
    page = nobody.get("ticketstatus/", limit=2, offset=2, order_by="id").json()
    assert [ticket["id"] for ticket in page["objects"]] == tickets[2:4]
    assert page["meta"]["total_count"] == 5
    assert "offset=4" in page["meta"]["next"]


def test_open_tickets_are_those_that_have_not_ended(nobody, service, submission):
    ended, going_on = submission.queued(), submission.queued()
    service.patch(f"updateticketstatus/{ended}/", {"current_workflow_step": "1000"})
    assert listed(nobody, "opentickets/") == listed(nobody, "ticket/") == [going_on]
    assert nobody.get(f"ticket/{ended}/").json()["current_workflow_step"] == "1000"
    assert listed(nobody) == [going_on, ended]


def test_a_ticket_status_says_what_the_ticket_brings(nobody, submission):
    submission.uploaded()
    (ticket,) = nobody.get("ticketstatus/").json()["objects"]
    (source,) = ticket["sources"]
    assert (source["source"], source["version"], source["status"]) == ("hello", "2.10-4", "000")
    assert (ticket["step_name"], ticket["status_name"]) == ("New", "Waiting")
    assert "description" not in ticket


@pytest.mark.parametrize(
    "params",
    [
        {"limit": "x"},
        {"limit": -1},
        {"offset": "x"},
        {"order_by": "nothing"},
        {"order_by": "title__x"},
        {"title__regex": "(a+)+$"},
        {"id__gte": "x"},
        {"created_at__gt": "yesterday"},
        {"description": "x"},
        {"owner": "\0"},
        {"source": "\0"},
    ],
)
def test_a_wrong_parameter_is_refused(nobody, params):
    made()
    response = nobody.get("ticketstatus/", **params)
    assert response.status_code in (200, 400)
    if response.status_code == 400:
        assert response.json()["error"]
    else:
        assert params == {"description": "x"}


@pytest.mark.parametrize("resource", ["ticket", "fullticket", "ticketstatus", "subticket", "spu"])
@pytest.mark.parametrize("number", ["999", "0", "9" * 18, "9" * 30, "x", "1;2", "set/1;2"])
def test_an_unknown_number_is_not_found(nobody, resource, number):
    response = nobody.get(f"{resource}/{number}/")
    assert response.status_code == 404
    assert response.json()["error"]


def test_a_wrong_token_is_refused_even_for_reading(nobody):
    nobody._client.defaults["HTTP_AUTHORIZATION"] = "Bearer wrong"
    for path in (*LISTS, "ticket/schema/", "status/"):
        assert nobody.get(path).status_code in (401, 429), path  # so many are slowed down


@pytest.mark.parametrize("path", LISTS)
def test_every_resource_describes_itself(nobody, path):
    response = nobody.get(f"{path}schema/")
    assert response.status_code == 200
    assert "fields" in response.json()


@pytest.mark.parametrize("path", LISTS)
def test_a_list_costs_the_same_with_one_and_three_tickets(submission, service, nobody, path):
    def fill(source: str) -> None:
        ticket_id = submission.uploaded(Upload(source=source))
        file = {"name": "i", "ticket": ticket_id, "reference": "http://x.example/", "type": "IMAGE"}
        service.post("ticketartifact/", file)
        service.post("projectdata/", [{"binary": source, "source": source, "version": "1"}])

    def cost() -> int:
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert nobody.get(path).json()["objects"]
        return len(queries)

    fill("hello")
    one = cost()
    fill("bye")
    fill("moin")
    assert cost() == one


def test_a_full_ticket_costs_the_same_with_one_and_three_sources(submission, nobody):
    uploads = [Upload(source=source) for source in ("hello", "bye", "moin")]
    numbers = submission.uploaded(uploads[0]), submission.uploaded(*uploads)
    costs = []
    for number in numbers:
        with CaptureQueriesContext(connection) as queries:
            nobody.get(f"fullticket/{number}/")
        costs.append(len(queries))
    assert costs[0] == costs[1]


class TestPrivateTickets:
    """Seen by their submitter, operators and services only."""

    @pytest.fixture
    def private(self, submission) -> int:
        return int(submission.uploaded(private=True))

    @pytest.mark.parametrize("client", ["nobody", "other_submitter"])
    def test_others_see_nothing_of_them(self, private, service, request, client):
        file = {"name": "i", "ticket": private, "reference": "http://x.example/", "type": "IMAGE"}
        assert service.post("ticketartifact/", file).status_code == 201
        client = request.getfixturevalue(client)
        for path in LISTS:
            assert client.get(path).json()["objects"] == [], path
            number = client.get(path).json()["meta"]["total_count"]
            assert number == 0, path
        for resource in ("ticket", "fullticket", "ticketstatus", "opentickets"):
            assert client.get(f"{resource}/{private}/").status_code == 404
        assert listed(client, source="hello") == []

    @pytest.mark.parametrize("client", ["submitter", "operator", "service"])
    def test_those_concerned_see_them(self, private, request, client):
        client = request.getfixturevalue(client)
        assert listed(client) == [private]
        assert client.get(f"fullticket/{private}/").status_code == 200
        for path in ("spu/", "sourcepackage/", "subticket/", "subticketartifact/"):
            assert client.get(path).json()["objects"], path

    def test_others_cannot_touch_them_nor_learn_that_they_are_there(self, private, other_submitter):
        assert other_submitter.patch(f"ticket/{private}/", {"title": "x"}).status_code == 404
        assert other_submitter.post(f"ticket/{private}/cancel/", {}).status_code == 404
        queue = {"current_workflow_step": "100"}
        assert other_submitter.patch(f"updateticketstatus/{private}/", queue).status_code == 404
        subticket = Ticket.objects.get().subtickets.get().pk
        file = {"name": "hello_x", "subticket": subticket, "type": "SPU"}
        assert other_submitter.post("subticketartifact/", file).status_code == 404

    def test_their_files_are_given_as_signed_urls(self, private, submitter, stores):
        (subticket,) = submitter.get(f"fullticket/{private}/").json()["subtickets"]
        for artifact in subticket["artifacts"]:
            query = dict(part.split("=") for part in artifact["url"].partition("?")[2].split("&"))
            stores.check_url("GET", f"ticket.{private}.sources", artifact["name"], query)

    def test_a_source_that_is_also_in_a_public_ticket_is_known_to_all(self, private, submission, nobody):
        submission.uploaded(Upload(version="2.10-5"))
        assert [p["name"] for p in nobody.get("sourcepackage/").json()["objects"]] == ["hello"]
        assert [u["version"] for u in nobody.get("spu/").json()["objects"]] == ["2.10-5"]


def test_the_status_counts_tickets_by_step(nobody, submission):
    submission.queued()
    status = nobody.get("status/").json()["services"]["ticket_system"]
    assert (status["tickets"]["100"], status["tickets"]["000"]) == (1, 0)
    assert status["requests"]["queued"] == 1
    assert status["trusted_uploaders"] == 1


@pytest.mark.parametrize("step", ["100", "200", "999", "1000"])
def test_the_database_finds_tickets_of_a_step_by_an_index(db, step):
    if connection.vendor == "postgresql":
        # It reads a small table whole once it has looked at it (autovacuum), whatever indices there are.
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")
    tickets = Ticket.objects.filter(current_workflow_step=step)[:50]
    assert "ticket_step" in tickets.explain()


def test_every_state_has_a_name():
    assert Status("998").label == "Cancelled"
    assert [step for step in WorkflowStep if step.final] == [WorkflowStep.FAILED, WorkflowStep.COMPLETE]


def test_times_say_that_they_are_in_utc(nobody):
    (ticket,) = made()
    assert nobody.get(f"ticket/{ticket.pk}/").json()["created_at"] == ticket.created_at.isoformat()
    assert ticket.created_at.isoformat().endswith("+00:00")


def test_titles_are_kept_as_they_are_written(submitter, nobody):
    title = "<script>alert('ä')</script> ☃"
    made_at = submitter.post("ticket/", TICKET | {"title": title})
    assert nobody.get(made_at["Location"].removeprefix("/api/v1/")).json()["title"] == title


@pytest.mark.parametrize("resource", ["ticket", "fullticket"])
def test_a_ticket_that_does_not_exist_is_named_as_what_it_is(nobody, resource):
    answer = nobody.get(f"{resource}/99/")
    assert (answer.status_code, answer.json()) == (404, {"error": "there is no ticket 99"})
