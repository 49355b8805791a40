"""What holds a landing up: waiting, cancelling, and everything that can die or be away."""

from __future__ import annotations

import pytest

from ci_utils.errors import Cancelled, Unavailable
from ci_utils.work_queue import progress
from lander.domain import jobs
from lander.models import ChildJob, MasterJob
from tests.branch_source_builder.memory_archives import DESTINATION
from tests.lander.conftest import TRIGGER, WAY, service_of, states_of
from tests.lander.fakes import Killed

pytestmark = pytest.mark.django_db


def test_without_a_free_archive_the_ticket_stays_queued_and_says_so(landed, services):
    services.ppa_assigner.busy = 3
    landed()
    assert services.ticket_system.reports[0] == {
        "current_workflow_step": "100",
        "status": "000",
        "message": "waiting for a free archive",
    }
    assert services.ticket_system.way == [*WAY, ("1000", "1000")]


def test_a_cancelled_ticket_does_not_begin(landed, services, job):
    jobs.cancel(TRIGGER)
    landed()
    assert services.branch_source_builder.requests == []
    assert services.ppa_assigner.ppa["state"] == "free"
    end = services.ticket_system.reports[-1]
    assert (end["current_workflow_step"], end["status"]) == ("999", "998")
    assert end["message"] == "the ticket was cancelled"


def test_a_ticket_that_waits_for_an_archive_can_be_cancelled(landed, services, job):
    services.ppa_assigner.busy = 1000
    services.ppa_assigner.asked = lambda: jobs.cancel(TRIGGER) and None
    assert landed().state == MasterJob.State.ABORTED
    assert services.ppa_assigner.ppa["state"] == "free"


def test_a_cancelled_stage_stops_and_the_archive_goes_back(landed, services, job, monkeypatch):
    monkeypatch.setattr(progress, "CANCEL_GRACE_SECONDS", 0)
    services.image_builder.end = None
    services.image_builder.then = lambda: jobs.cancel(TRIGGER) and None
    ended = landed()
    assert ended.state == MasterJob.State.ABORTED
    assert states_of(ended) == {
        "reserve": "SUCCESS",
        "build": "SUCCESS",
        "image": "ABORTED",
        "test": "SKIPPED",
        "publish": "SKIPPED",
        "release": "SUCCESS",
    }
    assert services.ppa_assigner.ppa["state"] == "dirty"
    end = services.ticket_system.reports[-1]
    assert (end["status"], end["failed_workflow_step"]) == ("998", "300")


@pytest.mark.parametrize("stage", ["build", "image", "test"])
def test_a_lander_that_is_killed_goes_on_where_it_was(landed, services, stage):
    service = service_of(services, stage)

    def die() -> None:
        service.then = lambda: None
        raise Killed

    service.then = die
    with pytest.raises(Killed):
        landed()
    assert landed().state == MasterJob.State.SUCCESS
    for name in ("build", "image", "test"):
        assert len(service_of(services, name).requests) == 1, "each request is done once"
    assert services.archives.published == {DESTINATION: {"hello": "2.10-4"}}
    assert services.ppa_assigner.ppa["state"] == "dirty"


def test_a_lander_that_is_killed_after_publishing_publishes_once_and_ends(landed, services, monkeypatch):
    copy = services.archives.copy
    calls = []

    def dying_copy(sources, *, origin, target):
        copy(sources, origin=origin, target=target)
        calls.append(target)
        if len(calls) == 1:
            raise Killed

    monkeypatch.setattr(services.archives, "copy", dying_copy)
    with pytest.raises(Killed):
        landed()
    assert landed().state == MasterJob.State.SUCCESS
    assert services.archives.published == {DESTINATION: {"hello": "2.10-4"}}


def test_an_archive_whose_reservation_was_never_recorded_is_given_back(landed, services, job, monkeypatch):
    reserve = services.ppa_assigner.get_ppa

    def dying_reserve(ticket_id):
        reserve(ticket_id)
        raise Killed

    monkeypatch.setattr(services.ppa_assigner, "get_ppa", dying_reserve)
    with pytest.raises(Killed):
        landed()
    assert services.ppa_assigner.ppa["state"] == "reserved"
    jobs.cancel(TRIGGER)
    assert landed().state == MasterJob.State.ABORTED
    assert services.ppa_assigner.ppa["state"] == "dirty"


def test_a_shutdown_leaves_the_job_for_the_next_start(landed, services, job):
    services.test_runner.end = None
    with pytest.raises(Cancelled):
        landed(stopping=lambda: bool(services.test_runner.requests))
    job.refresh_from_db()
    assert job.state == MasterJob.State.RUNNING
    assert ("999", "998") not in services.ticket_system.way
    services.test_runner.end = {"state": "COMPLETED", "status": "SUCCESS"}
    assert landed().state == MasterJob.State.SUCCESS


def test_a_ticket_system_that_is_away_fails_no_ticket(landed, services):
    services.ticket_system.away = 25
    assert landed().state == MasterJob.State.SUCCESS
    assert services.ticket_system.way[-1] == ("1000", "1000")
    assert ("lander-release.json", "LOGS") in services.ticket_system.artifacts


def test_a_ticket_that_has_ended_meanwhile_is_left_alone(landed, services):
    services.ticket_system.ended = True
    assert landed().state == MasterJob.State.SUCCESS


def test_an_assigner_that_is_away_gets_the_archive_back_later(landed, services):
    services.ppa_assigner.away = 5
    assert landed().state == MasterJob.State.SUCCESS
    assert services.ppa_assigner.ppa["state"] == "dirty"


def test_an_unexpected_error_ends_the_ticket_and_gives_the_archive_back(landed, services, monkeypatch):
    monkeypatch.setattr(services.image_builder, "start", lambda request: 1 / 0)
    job = landed()
    assert (job.state, job.message) == (
        "FAILURE",
        "the lander met an unexpected error; its log has the detail",
    )
    assert services.ppa_assigner.ppa["state"] == "dirty"


def test_a_service_that_says_nothing_is_unresponsive(landed, services, monkeypatch):
    monkeypatch.setattr(progress, "POLL_SECONDS", 0.001)
    object.__setattr__(services, "progress_interval", 0.002)
    services.image_builder.messages = []
    services.image_builder.end = None
    job = landed()
    assert job.message == f"no progress on lander-{job.pk}-image for 10 updates"
    assert services.ppa_assigner.ppa["state"] == "dirty"


@pytest.mark.parametrize(
    ("stage", "end"),
    [
        ("build", {"state": "COMPLETED", "builds": [{"source": "hello"}]}),
        ("build", {"state": "COMPLETED"}),
        ("build", {"state": "FAILED", "builds": "none"}),
        ("image", {"state": "FAILED", "logs": 7}),
        ("test", {"state": "FAILED", "results": {"sources": {"hello": {}}}}),
    ],
)
def test_a_result_that_lacks_something_holds_nothing_up(landed, services, stage, end):
    service_of(services, stage).end = end
    assert landed().state == MasterJob.State.FAILURE
    assert services.ticket_system.way[-1] == ("999", "999")
    assert services.ppa_assigner.ppa["state"] == "dirty"


def test_logs_that_cannot_be_archived_do_not_hold_up_the_ticket(landed, services, monkeypatch):
    def away(*_: object, **__: object) -> None:
        raise Unavailable("the data store does not answer")

    monkeypatch.setattr(services.data_stores, "open", away)
    assert landed().state == MasterJob.State.SUCCESS


def test_an_ended_job_is_not_done_again(landed, services):
    landed()
    services.ticket_system.reports.clear()
    assert landed().state == MasterJob.State.SUCCESS
    assert services.ticket_system.reports == []
    assert ChildJob.objects.count() == 6
