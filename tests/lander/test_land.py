from __future__ import annotations

import json
from typing import Any

import pytest

from ci_utils.clients.work import WorkClient
from ci_utils.errors import Cancelled, Unavailable
from ci_utils.work_queue import progress
from lander.domain import jobs
from lander.domain.services import Services
from lander.models import ChildJob, MasterJob
from tests.branch_source_builder.memory_archives import DESTINATION
from tests.lander.conftest import LOG, TRIGGER
from tests.lander.fakes import Killed

pytestmark = pytest.mark.django_db

PPA = "ppa:local/ci_pool-001"
WAY = [("100", "000"), ("200", "100"), ("300", "100"), ("400", "100"), ("500", "100")]


def _states(job: MasterJob) -> dict[str, str]:
    return dict(job.stages.values_list("stage", "state"))


def _service(services: Services, stage: str) -> Any:
    clients: dict[str, WorkClient] = {
        "build": services.branch_source_builder,
        "image": services.image_builder,
        "test": services.test_runner,
    }
    return clients[stage]


def test_a_ticket_goes_through_all_stages_and_is_published(landed, services):
    job = landed()
    assert job.state == MasterJob.State.SUCCESS
    assert set(_states(job).values()) == {"SUCCESS"}
    assert services.archives.published == {DESTINATION: {"hello": "2.10-4"}}
    assert services.ppa_assigner.ppa["state"] == "dirty"
    assert services.ticket_system.way[-5:] == [*WAY[1:], ("1000", "1000")]


def test_what_a_stage_leaves_behind_is_what_the_next_ones_ask_with(landed, services, job):
    landed()
    common = {
        "ticket_id": 12,
        "cancel_url": f"http://127.0.0.1:8000/api/v1/job/{job.pk}/",
        "private": False,
    }
    assert services.branch_source_builder.requests == [
        common
        | {
            "progress_trigger": f"lander-{job.pk}-build",
            "source_packages": job.parameters["source_packages"],
            "series": "bookworm",
            "ppa": PPA,
            "archive": DESTINATION,
        }
    ]
    assert services.image_builder.requests == [
        common
        | {
            "progress_trigger": f"lander-{job.pk}-image",
            "base_image": {"image_type": "cloud", "url_list": [], "series": "bookworm"},
            "ppa_list": [PPA, DESTINATION],
            "package_list": ["hello"],
            "remove_package_list": ["nano"],
        }
    ]
    assert services.test_runner.requests == [
        common
        | {
            "progress_trigger": f"lander-{job.pk}-test",
            "image_id": "abc",
            "package_list": ["hello"],
            "ppa_list": [PPA, DESTINATION],
            "series": "bookworm",
        }
    ]


def test_files_of_all_stages_are_linked_at_the_ticket(landed, services):
    landed()
    assert services.ticket_system.subticket_artifacts == [(5, "hello_2.10-4_amd64.build.log", "LOGS")]
    consoles = [
        (f"lander-{stage}.{suffix}", "LOGS")
        for stage in ("reserve", "build", "image", "test", "publish", "release")
        for suffix in ("log", "json")
    ]
    assert services.ticket_system.artifacts == [
        ("ticket.12", "IMAGE"),
        ("lander-1-image.manifest", "LOGS"),
        ("lander-1-image.manifest-diff", "LOGS"),
        ("lander-1-image.log", "LOGS"),
        ("hello.log", "LOGS"),
        ("hello.subunit", "RESULTS"),
        ("hello.tar.gz", "RESULTS"),
        *consoles,
    ]


def test_console_logs_and_results_are_archived(landed, services, job):
    landed()
    store = services.data_stores.open("ticket.12", "lander")
    console = store.get_file("lander-build.log").decode().splitlines()
    assert console[0] == "== build: SUCCESS"
    assert [line.partition(" ")[2] for line in console[1:]] == ["building the packages", "at work", "success"]
    outcome = json.loads(store.get_file("lander-build.json"))
    assert (outcome["state"], outcome["result"]["logs"]) == ("SUCCESS", [LOG])
    assert outcome["parameters"]["ppa"] == PPA
    assert store.is_public("lander-build.log")


def test_subtickets_hear_how_their_builds_end(landed, services):
    landed()
    assert services.ticket_system.subticket_reports == [
        (5, "200", "100", "building"),
        (5, "200", "1000", "built"),
    ]


@pytest.mark.parametrize(
    ("stage", "step", "skipped"),
    [
        ("build", "200", ["image", "test", "publish"]),
        ("image", "300", ["test", "publish"]),
        ("test", "400", ["publish"]),
    ],
)
def test_a_stage_that_fails_ends_the_ticket_there(landed, services, stage, step, skipped):
    end = _service(services, stage).end
    log = end["logs"][0]
    _service(services, stage).end = end | {"state": "FAILED", "message": f"the {stage} is broken"}
    job = landed()
    assert (job.state, job.message) == ("FAILURE", f"the {stage} is broken")
    assert services.ticket_system.reports[-1] == {
        "current_workflow_step": "999",
        "status": "999",
        "message": f"the {stage} is broken",
        "failed_workflow_step": step,
        "log_url": log,
    }
    states = _states(job)
    assert [name for name, state in states.items() if state == "SKIPPED"] == skipped
    assert (states[stage], states["release"]) == ("FAILURE", "SUCCESS")
    assert services.archives.published == {}
    assert services.ppa_assigner.ppa["state"] == "dirty"


def test_the_log_of_the_build_that_failed_is_the_one_that_is_shown(landed, services):
    other = dict(services.branch_source_builder.end["builds"][0], source="zlib", log="http://x/zlib.log")
    failed = dict(other, source="hello", state="Failed to build", log=LOG)
    services.branch_source_builder.end = {
        "state": "FAILED",
        "message": "hello 2.10-4 failed to build on amd64",
        "logs": ["http://x/zlib.log", LOG],
        "builds": [other, failed],
    }
    landed()
    assert services.ticket_system.reports[-1]["log_url"] == LOG
    assert services.ticket_system.subticket_reports[-1] == (
        5,
        "999",
        "999",
        "hello 2.10-4 failed to build on amd64",
    )


def test_the_log_of_the_tests_that_failed_is_the_one_that_is_shown(landed, services):
    logs = [
        f"http://x/lander-1-test-{name}.log" for name in ("zlib-autopkgtest", "hello-autopkgtest", "console")
    ]
    judged = {"zlib": {"verdict": "passed"}, "hello": {"verdict": "failed"}}
    services.test_runner.end = {
        "state": "FAILED",
        "message": "DEP-8 tests failed on the image: hello.smoke",
        "logs": logs,
        "results": {"passed": 1, "failed": 1, "sources": judged},
    }
    landed()
    assert services.ticket_system.reports[-1]["log_url"] == logs[1]


def test_a_published_ticket_says_which_sources_have_no_tests(landed, services):
    services.test_runner.end["results"]["sources"] = {"hello": {"verdict": "no tests"}}
    landed()
    assert services.ticket_system.reports[-1] == {
        "current_workflow_step": "1000",
        "status": "1000",
        "message": "published; without DEP-8 tests of its own: hello",
    }


def test_packages_that_are_not_higher_any_more_are_not_published(landed, services):
    services.archives.published[DESTINATION] = {"hello": "2.11-1"}
    job = landed()
    assert services.archives.published == {DESTINATION: {"hello": "2.11-1"}}
    end = services.ticket_system.reports[-1]
    assert "which is higher than 2.10-4" in end["message"]
    assert end["failed_workflow_step"] == "500"
    assert end["log_url"] == services.data_stores.open("ticket.12", "lander").file_path("lander-publish.log")
    assert job.state == MasterJob.State.FAILURE


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
    assert _states(ended) == {
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
    service = _service(services, stage)

    def die() -> None:
        service.then = lambda: None
        raise Killed

    service.then = die
    with pytest.raises(Killed):
        landed()
    assert landed().state == MasterJob.State.SUCCESS
    for name in ("build", "image", "test"):
        assert len(_service(services, name).requests) == 1, "each request is done once"
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
    _service(services, stage).end = end
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
