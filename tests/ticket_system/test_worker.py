"""The ticket system's worker: queued tickets reach the lander in their order."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from ci_utils.work_queue.broker import Broker
from ci_utils.work_queue.models import WorkRequest
from ci_utils.work_queue.worker import Worker
from tests.ci_utils.source_package.uploads import Upload
from ticket_system import worker
from ticket_system.models import Ticket


@pytest.fixture
def run_one():
    """Does one request as the host's worker thread does."""
    return Worker(
        worker.WORK[0],
        Broker("memory://"),
        lease=timedelta(seconds=60),
        progress_interval=60,
        service_token="",
        stop=threading.Event(),
        name="test",
    ).run_one


@pytest.mark.django_db(transaction=True)
def test_tickets_reach_the_lander_in_the_order_in_which_they_were_queued(submission, lander, run_one):
    tickets = [submission.uploaded(Upload(source=source)) for source in ("hello", "bye", "moin")]
    for ticket_id in (tickets[2], tickets[0], tickets[1]):
        submission.queue(ticket_id)
    assert [run_one() for _ in range(4)] == [True, True, True, False]
    assert list(lander.requests) == [f"ticket-{n}" for n in (tickets[2], tickets[0], tickets[1])]
    assert {request.state for request in WorkRequest.objects.all()} == {"COMPLETED"}


@pytest.mark.django_db(transaction=True)
def test_an_unexpected_error_does_not_leave_a_ticket_queued_for_ever(submission, lander, run_one, caplog):
    ticket_id = submission.queued()
    lander.error = ValueError("unexpected")
    run_one()
    ticket = Ticket.objects.get(pk=ticket_id)
    assert (ticket.current_workflow_step, ticket.message) == (
        "999",
        "the ticket could not be given to the lander",
    )
    assert WorkRequest.objects.get().state == "FAILED"
    assert "unexpected" in caplog.text


def test_cancellations_are_passed_on_again_and_again(submission, lander):
    assert worker.pass_on_cancellations in [periodic.run for periodic in worker.PERIODIC]
    worker.pass_on_cancellations()
    assert lander.cancelled == []
