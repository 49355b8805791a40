"""Handing tickets to the lander, and cancelling them."""

from __future__ import annotations

import hashlib

import pytest

from ci_utils.errors import (
    Cancelled,
    CIError,
    Conflict,
    Forbidden,
    InvalidRequest,
    NotFound,
    Unauthenticated,
    Unavailable,
)
from tests.ci_utils.source_package.uploads import Upload
from ticket_system.domain import landing
from ticket_system.models import Ticket


def never() -> bool:
    return False


def state(ticket_id: int) -> tuple[str, str, str]:
    ticket = Ticket.objects.get(pk=ticket_id)
    return ticket.current_workflow_step, ticket.status, ticket.message


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch):
    monkeypatch.setattr(landing, "RETRY_SECONDS", 0.01)


def test_the_lander_gets_what_execute_request_takes(submission, lander, stores):
    ticket_id = submission.queued(add_packages=["hello"], remove_packages=["vim"])
    assert landing.hand_over(ticket_id=ticket_id, lander=lander, stopped=never)
    store = stores.open(f"ticket.{ticket_id}", "sources")
    urls = [store.file_path(name) for name in store.list_files()]
    request = lander.requests[f"ticket-{ticket_id}"]
    assert sorted(request["source_packages"]) == urls
    (subticket,) = request["subtickets"]
    assert (subticket["source"], subticket["version"]) == ("hello", "2.10-4")
    assert sorted(subticket["artifacts"]) == urls
    expected = {
        "ticket": str(ticket_id),
        "binary_packages": ["hello"],
        "remove_packages": ["vim"],
        "series": Ticket.objects.get().series,
        "base_image": "",
        "private": False,
        "progress_trigger": f"ticket-{ticket_id}",
        "cancel_url": None,
    }
    assert {name: request[name] for name in expected} == expected


def test_the_lander_is_told_what_the_files_were_when_they_were_checked(submission, lander, stores):
    ticket_id = submission.queued(Upload(), Upload("sed", "4.9-2"))
    store = stores.open(f"ticket.{ticket_id}", "sources")
    checked = {name: hashlib.sha256(store.get_file(name)).hexdigest() for name in store.list_files()}
    store.put_file("sed_4.9-2_source.changes", b"signed by somebody else")
    landing.hand_over(ticket_id=ticket_id, lander=lander, stopped=never)
    assert lander.requests[f"ticket-{ticket_id}"]["checksums"] == checked
    assert len(checked) == 8


def test_handing_over_again_sends_the_same_request(submission, lander):
    ticket_id = submission.queued()
    landing.hand_over(ticket_id=ticket_id, lander=lander, stopped=never)
    first = lander.requests.copy()
    landing.hand_over(ticket_id=ticket_id, lander=lander, stopped=never)
    assert lander.requests == first


@pytest.mark.parametrize(
    "error",
    [
        Unavailable("the lander does not answer"),
        Unauthenticated("the service token is being replaced"),
        Forbidden("this token may not do that"),
        CIError("the lander answered with status 500"),
    ],
)
def test_a_ticket_waits_for_a_lander_that_does_not_take_it_now_and_says_so(submission, lander, error):
    ticket_id = submission.queued()
    lander.error = error
    seen = []

    def stopped() -> bool:
        seen.append(state(ticket_id))
        lander.error = None if len(seen) > 1 else lander.error
        return False

    assert landing.hand_over(ticket_id=ticket_id, lander=lander, stopped=stopped)
    assert set(seen) == {("100", "000", "waiting for the lander, which takes no tickets now")}
    assert state(ticket_id) == ("100", "000", "")


def test_a_stop_gives_a_waiting_ticket_back(submission, lander):
    ticket_id = submission.queued()
    lander.error = Unavailable("the lander does not answer")
    with pytest.raises(Cancelled):
        landing.hand_over(ticket_id=ticket_id, lander=lander, stopped=lambda: True)
    assert state(ticket_id)[0] == "100"


@pytest.mark.parametrize("kind", [InvalidRequest, NotFound, Conflict])
def test_a_ticket_that_the_lander_refuses_fails_with_its_sentence(submission, lander, kind):
    ticket_id = submission.queued()
    lander.error = kind("series: unknown")
    assert not landing.hand_over(ticket_id=ticket_id, lander=lander, stopped=never)
    assert state(ticket_id) == ("999", "999", "the lander did not take the ticket: series: unknown")


@pytest.mark.parametrize("queued", [False, True])
def test_a_ticket_that_has_not_begun_is_cancelled_at_once(submission, lander, queued):
    ticket_id = submission.queued() if queued else submission.uploaded()
    response = submission.client.post(f"ticket/{ticket_id}/cancel/", {})
    assert response.status_code == 200
    assert response.json()["status_name"] == "Cancelled"
    assert state(ticket_id) == ("999", "998", "the ticket was cancelled")
    assert not landing.hand_over(ticket_id=ticket_id, lander=lander, stopped=never)
    assert lander.requests == {}


def test_a_ticket_that_waits_at_the_lander_is_cancelled_there_too(submission, lander):
    ticket_id = submission.queued()
    landing.hand_over(ticket_id=ticket_id, lander=lander, stopped=never)
    assert submission.client.post(f"ticket/{ticket_id}/cancel/", {}).status_code == 200
    assert lander.cancelled == [f"ticket-{ticket_id}"]
    assert state(ticket_id)[:2] == ("999", "998")


def test_a_ticket_in_work_ends_when_the_lander_reports_it(submission, lander, service):
    ticket_id = submission.queued()
    landing.hand_over(ticket_id=ticket_id, lander=lander, stopped=never)
    service.patch(f"updateticketstatus/{ticket_id}/", {"current_workflow_step": "200"})
    response = submission.client.post(f"ticket/{ticket_id}/cancel/", {})
    assert response.status_code == 202
    assert response.json()["cancel_requested_at"]
    assert lander.cancelled == [f"ticket-{ticket_id}"]
    assert state(ticket_id)[:2] == ("200", "100")
    end = {"current_workflow_step": "999", "status": "998", "message": "cancelled"}
    assert service.patch(f"updateticketstatus/{ticket_id}/", end).status_code == 200
    again = submission.client.post(f"ticket/{ticket_id}/cancel/", {})
    assert again.status_code == 200
    assert again.json()["status_name"] == "Cancelled"


def test_a_cancellation_that_comes_again_is_answered_as_the_first(submission, lander):
    ticket_id = submission.queued()
    first, again = (submission.client.post(f"ticket/{ticket_id}/cancel/", {}) for _ in range(2))
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert [t.status for t in Ticket.objects.get().history.all()] == ["000", "000", "998"]


def test_a_ticket_that_is_published_already_cannot_be_cancelled(submission, lander, service):
    ticket_id = submission.queued()
    landing.hand_over(ticket_id=ticket_id, lander=lander, stopped=never)
    service.patch(f"updateticketstatus/{ticket_id}/", {"current_workflow_step": "500"})
    lander.error = Conflict("it is too late to cancel it")
    response = submission.client.post(f"ticket/{ticket_id}/cancel/", {})
    assert (response.status_code, response.json()) == (409, {"error": "it is too late to cancel it"})
    assert Ticket.objects.get().cancel_requested_at is None


def test_a_cancellation_that_the_lander_cannot_hear_is_passed_on_later(submission, lander):
    ticket_id = submission.queued()
    landing.hand_over(ticket_id=ticket_id, lander=lander, stopped=never)
    lander.error = Unavailable("the lander does not answer")
    assert submission.client.post(f"ticket/{ticket_id}/cancel/", {}).status_code == 202
    assert state(ticket_id)[0] == "100"
    lander.error = None
    landing.pass_on_cancellations(lander=lander)
    assert lander.cancelled == [f"ticket-{ticket_id}"]
    assert state(ticket_id)[:2] == ("999", "998")


def test_a_cancellation_while_the_request_is_on_its_way_reaches_the_lander(submission, lander):
    ticket_id = submission.queued()
    take = lander.start

    def cancel_meanwhile(parameters):
        submission.client.post(f"ticket/{ticket_id}/cancel/", {})
        take(parameters)

    lander.start = cancel_meanwhile
    landing.hand_over(ticket_id=ticket_id, lander=lander, stopped=never)
    assert state(ticket_id)[:2] == ("999", "998")
    assert lander.cancelled == [f"ticket-{ticket_id}"]


@pytest.mark.parametrize(("client", "status"), [("nobody", 401), ("other_submitter", 403), ("operator", 200)])
def test_only_its_submitter_and_operators_cancel_a_ticket(submission, lander, request, client, status):
    ticket_id = submission.uploaded()
    assert request.getfixturevalue(client).post(f"ticket/{ticket_id}/cancel/", {}).status_code == status


def test_a_ticket_is_cancelled_by_post_only(submission):
    assert submission.client.get(f"ticket/{submission.uploaded()}/cancel/").status_code == 405


def test_there_is_nothing_to_cancel_under_an_unknown_number(submitter, lander):
    assert submitter.post("ticket/999/cancel/", {}).status_code == 404
