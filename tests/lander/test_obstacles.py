"""What holds a landing up: waiting, cancelling, and everything that can die or be away."""

from __future__ import annotations

import time

import pytest
from django.db.utils import OperationalError

from ci_utils.errors import Cancelled, Unavailable
from ci_utils.work_queue import progress
from lander.domain import acts, jobs, land
from lander.models import ChildJob, MasterJob
from tests.branch_source_builder.memory_archives import DESTINATION
from tests.lander.conftest import LOG, TRIGGER, WAY, service_of, states_of
from tests.lander.fakes import Killed
from tests.lander.test_reporting import MENDED_LATER

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


def test_a_stage_that_stops_before_the_lander_knows_why_is_cancelled_and_has_not_failed(landed, services):
    services.branch_source_builder.messages = []
    services.branch_source_builder.then = lambda: jobs.cancel(TRIGGER) and None
    services.branch_source_builder.end = {"state": "FAILED", "message": "cancelled", "cancelled": True}
    assert landed().state == MasterJob.State.ABORTED
    end = services.ticket_system.reports[-1]
    assert (end["status"], end["failed_workflow_step"]) == ("998", "200")
    assert end["message"] == "the ticket was cancelled"


def test_a_ticket_that_is_cancelled_while_a_failure_is_recorded_has_not_failed(landed, services, monkeypatch):
    services.branch_source_builder.end = {"state": "FAILED", "message": "it failed to build", "logs": [LOG]}
    link = services.ticket_system.add_artifacts

    def meanwhile(*arguments) -> None:
        assert jobs.cancel(TRIGGER).building is False
        link(*arguments)

    monkeypatch.setattr(services.ticket_system, "add_artifacts", meanwhile)
    ended = landed()
    assert (ended.state, states_of(ended)["build"]) == (MasterJob.State.ABORTED, "ABORTED")
    *_, last = jobs.child_of(ended, "build").console.all()
    assert last.text == "aborted: the ticket was cancelled"
    end = services.ticket_system.reports[-1]
    assert (end["status"], end["failed_workflow_step"]) == ("998", "200")
    assert end["message"] == "the ticket was cancelled"


def test_a_lander_that_goes_on_says_at_once_where_the_work_was(landed, services, monkeypatch):
    take = services.ticket_system.set_status
    deaths: list[object] = []

    def die_once(ticket_id, **fields):
        if fields["message"] == "at work" and not deaths:
            deaths.append(fields)
            raise Killed
        take(ticket_id, **fields)

    monkeypatch.setattr(services.ticket_system, "set_status", die_once)
    with pytest.raises(Killed):
        landed()
    before = len(services.ticket_system.reports)
    landed()
    assert services.ticket_system.reports[before - 1]["message"] == "building the packages"
    assert services.ticket_system.reports[before]["message"] == "at work"


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


@pytest.mark.parametrize("method", ["get_ppa", "list", "release"])
@pytest.mark.parametrize("error", MENDED_LATER)
def test_an_assigner_that_an_operator_mends_neither_fails_a_ticket_nor_loses_an_archive(
    landed, services, monkeypatch, method, error
):
    answer = getattr(services.ppa_assigner, method)
    errors = iter([error, error])

    def failing_first(*args: object, **options: object) -> object:
        for each in errors:
            raise each
        return answer(*args, **options)

    monkeypatch.setattr(services.ppa_assigner, method, failing_first)
    assert landed().state == MasterJob.State.SUCCESS
    assert services.ppa_assigner.ppa["state"] == "dirty"


def test_packages_that_were_copied_are_waited_for_however_long_the_archive_looked_for_them(
    landed, services, monkeypatch
):
    monkeypatch.setattr(acts, "PUBLISH_PATIENCE_SECONDS", 0.2)
    copy = services.archives.copy
    calls: list[object] = []

    def slow_copy(sources, **places):
        copy(sources, **places)
        calls.append(places)
        if len(calls) == 1:
            time.sleep(0.3)
            raise Unavailable("hello 2.10-4 was copied, but is not published there yet")

    monkeypatch.setattr(services.archives, "copy", slow_copy)
    assert landed().state == MasterJob.State.SUCCESS
    assert services.archives.published == {DESTINATION: {"hello": "2.10-4"}}


def test_an_archive_that_takes_nothing_for_long_ends_the_ticket(landed, services, monkeypatch):
    monkeypatch.setattr(acts, "PUBLISH_PATIENCE_SECONDS", 0.1)

    def copy(sources, **places):
        raise Unavailable("the archive does not answer")

    monkeypatch.setattr(services.archives, "copy", copy)
    assert landed().message == "the archive does not answer"
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


@pytest.mark.django_db(transaction=True)
def test_a_stage_that_is_done_is_not_done_again_because_its_end_could_not_be_recorded_at_once(
    landed, services, monkeypatch
):
    copies: list[object] = []
    copy = services.archives.copy

    def counted(sources, **places):
        copies.append(places)
        copy(sources, **places)

    monkeypatch.setattr(services.archives, "copy", counted)
    end_child = jobs.end_child
    away = iter([OperationalError("server closed the connection unexpectedly")] * 2)

    def record(child, *outcome):
        if child.stage == "publish" and (error := next(away, None)):
            raise error
        end_child(child, *outcome)

    monkeypatch.setattr(jobs, "end_child", record)
    monkeypatch.setattr(land, "RETRY_SECONDS", 0.01)

    assert landed().state == MasterJob.State.SUCCESS
    assert len(copies) == 1
