"""The way of a ticket through the stages, and how it ends at each."""

from __future__ import annotations

import json

import pytest

from lander.models import MasterJob
from tests.branch_source_builder.memory_archives import DESTINATION
from tests.lander.conftest import LOG, WAY, service_of, states_of

pytestmark = pytest.mark.django_db

PPA = "ppa:local/ci_pool-001"


def test_a_ticket_goes_through_all_stages_and_is_published(landed, services):
    job = landed()
    assert job.state == MasterJob.State.SUCCESS
    assert set(states_of(job).values()) == {"SUCCESS"}
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
            "checksums": job.parameters["checksums"],
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
    end = service_of(services, stage).end
    log = end["logs"][0]
    service_of(services, stage).end = end | {"state": "FAILED", "message": f"the {stage} is broken"}
    job = landed()
    assert (job.state, job.message) == ("FAILURE", f"the {stage} is broken")
    assert services.ticket_system.reports[-1] == {
        "current_workflow_step": "999",
        "status": "999",
        "message": f"the {stage} is broken",
        "failed_workflow_step": step,
        "log_url": log,
    }
    states = states_of(job)
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
        f"http://x/lander-1-test-{name}.log"
        for name in ("my-hello-autopkgtest", "hello-autopkgtest", "console")
    ]
    services.test_runner.end = {
        "state": "FAILED",
        "message": "DEP-8 tests failed on the image: hello.smoke",
        "logs": logs,
        "failure_log": logs[1],
        "results": {"passed": 1, "failed": 1},
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
