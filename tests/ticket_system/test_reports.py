"""What the lander tells about tickets and subtickets."""

from __future__ import annotations

import pytest

from ticket_system.models import SubTicket, Ticket, Transition


@pytest.fixture
def ticket(submission) -> Ticket:
    submission.queued()
    return Ticket.objects.get()


@pytest.fixture
def report(service, ticket):
    """Reports on the ticket and returns the response."""

    def send(**fields):
        return service.patch(f"updateticketstatus/{ticket.pk}/", fields)

    return send


def states(ticket: Ticket) -> list[tuple[str, str]]:
    return list(ticket.history.values_list("workflow_step", "status"))


def test_a_ticket_goes_through_all_steps_to_the_end(report, ticket):
    for step in ("200", "300", "400", "500"):
        assert report(current_workflow_step=step, status="100").status_code == 200
    assert report(current_workflow_step="1000", status="1000").status_code == 200
    ticket.refresh_from_db()
    assert ticket.ended_at
    assert states(ticket) == [
        ("000", "000"),
        ("100", "000"),
        *((step, "100") for step in ("200", "300", "400", "500")),
        ("1000", "1000"),
    ]
    assert {(s.current_workflow_step, s.status) for s in ticket.subtickets.all()} == {("1000", "1000")}


def test_numbers_are_taken_for_strings(report):
    assert report(current_workflow_step=200, status=0).json()["status"] == "000"


def test_numbers_with_a_point_are_taken_too(report):
    assert report(current_workflow_step=200.0, status=0.0).json()["current_workflow_step"] == "200"


def test_the_same_report_twice_is_recorded_once(report, ticket):
    for _ in range(2):
        assert report(current_workflow_step="200", status="100", message="building").status_code == 200
    assert states(ticket) == [("000", "000"), ("100", "000"), ("200", "100")]


def test_a_message_alone_changes_the_message_alone(report, ticket):
    assert report(message="waiting for a free archive").json()["current_workflow_step"] == "100"
    ticket.refresh_from_db()
    assert ticket.message == "waiting for a free archive"
    assert len(states(ticket)) == 2


def test_a_new_step_does_not_keep_the_old_message(report):
    report(message="waiting for a free archive")
    assert report(current_workflow_step="200").json() | {"id": 0} == {
        "id": 0,
        "current_workflow_step": "200",
        "step_name": "Package Building",
        "status": "100",
        "message": "",
    }


def test_a_step_back_is_refused(report):
    report(current_workflow_step="300")
    response = report(current_workflow_step="200")
    assert response.status_code == 409
    assert "does not go back to Package Building" in response.json()["error"]


def test_a_failure_says_where_why_and_links_the_log(report, ticket, nobody):
    report(current_workflow_step="200")
    response = report(
        current_workflow_step="999",
        status="999",
        message="hello does not build",
        failed_workflow_step="200",
        log_url="http://localhost/data/x/log",
    )
    assert response.status_code == 200
    full = nobody.get(f"fullticket/{ticket.pk}/").json()
    assert (full["failed_workflow_step"], full["failed_step_name"]) == ("200", "Package Building")
    assert (full["message"], full["log_url"]) == ("hello does not build", "http://localhost/data/x/log")
    assert (full["subtickets"][0]["current_workflow_step"], full["subtickets"][0]["status"]) == ("999", "998")


def test_the_failed_step_is_the_one_before_unless_it_is_told(report, ticket):
    report(current_workflow_step="400")
    report(current_workflow_step="999")
    ticket.refresh_from_db()
    assert (ticket.failed_workflow_step, ticket.status) == ("400", "999")


def test_an_ended_ticket_does_not_change(report, ticket):
    report(current_workflow_step="999", status="998", message="cancelled")
    before = Ticket.objects.values().get(pk=ticket.pk)
    for fields in (
        {"current_workflow_step": "1000"},
        {"current_workflow_step": "999", "status": "999"},
        {"current_workflow_step": "200"},
        {"message": "more"},
    ):
        response = report(**fields)
        assert response.status_code == 409
        assert "has ended (Failed)" in response.json()["error"]
    assert report(current_workflow_step="999", status="998", message="again").status_code == 200
    assert Ticket.objects.values().get(pk=ticket.pk) == before


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"current_workflow_step": "250"},
        {"current_workflow_step": ""},
        {"current_workflow_step": None},
        {"current_workflow_step": True},
        {"status": "5"},
        {"message": 1},
        {"log_url": 1},
        {"title": "x"},
        {"current_workflow_step": "1000", "status": "999"},
        {"current_workflow_step": "999", "status": "100"},
        {"current_workflow_step": "200", "failed_workflow_step": "200"},
    ],
)
def test_a_report_that_makes_no_sense_is_refused(report, ticket, fields):
    before = Ticket.objects.values().get(pk=ticket.pk)
    response = report(**fields)
    assert response.status_code == 400
    assert response.json()["error"]
    assert Ticket.objects.values().get(pk=ticket.pk) == before


def test_a_ticket_that_is_not_queued_has_nothing_to_report(service, submission):
    ticket_id = submission.uploaded()
    response = service.patch(f"updateticketstatus/{ticket_id}/", {"current_workflow_step": "200"})
    assert response.status_code == 409


@pytest.mark.parametrize("client", ["submitter", "operator"])
def test_people_may_only_queue(ticket, request, client):
    client = request.getfixturevalue(client)
    response = client.patch(f"updateticketstatus/{ticket.pk}/", {"current_workflow_step": "1000"})
    assert response.status_code == 403
    assert "may only queue" in response.json()["error"]


@pytest.mark.parametrize("path", ["updateticketstatus/999/", "updatesubticketstatus/999/"])
def test_what_is_not_there_cannot_be_reported_on(service, path):
    assert service.patch(path, {"current_workflow_step": "200"}).status_code == 404


def test_a_subticket_is_reported_on(service, ticket, nobody):
    subticket = ticket.subtickets.get()
    path = f"updatesubticketstatus/{subticket.pk}/"
    assert service.patch(path, {"current_workflow_step": "200", "status": "100"}).status_code == 200
    done = {"current_workflow_step": "200", "status": "1000", "message": "built"}
    assert service.patch(path, done).status_code == 200
    read = nobody.get(f"subticket/{subticket.pk}/").json()
    assert (read["current_workflow_step"], read["status"], read["message"]) == ("200", "1000", "built")
    assert (read["source"], read["version"]) == ("hello", "2.10-4")


def test_a_subticket_that_was_built_stays_so_when_the_ticket_fails(service, report, ticket):
    path = f"updatesubticketstatus/{ticket.subtickets.get().pk}/"
    service.patch(path, {"current_workflow_step": "200", "status": "1000"})
    report(current_workflow_step="400")
    report(current_workflow_step="999")
    assert SubTicket.objects.get().status == "1000"


def test_people_do_not_report_on_subtickets(submitter, ticket):
    path = f"updatesubticketstatus/{ticket.subtickets.get().pk}/"
    assert submitter.patch(path, {"current_workflow_step": "200"}).status_code == 403


def test_the_history_of_a_ticket_is_told_in_order(report, ticket, nobody):
    report(current_workflow_step="200", message="building hello")
    history = nobody.get(f"fullticket/{ticket.pk}/").json()["history"]
    assert [(t["workflow_step"], t["step_name"], t["message"]) for t in history] == [
        ("000", "New", ""),
        ("100", "Queued", ""),
        ("200", "Package Building", "building hello"),
    ]
    assert Transition.objects.count() == 3
