from __future__ import annotations

import threading
from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.db.utils import InternalError, OperationalError
from django.utils import timezone

from ci_utils.errors import Conflict
from ci_utils.hosting import ports
from ci_utils.work_queue.models import WorkRequest
from ci_utils.work_queue.progress import ProgressPublisher
from ci_utils.work_queue.worker import Task, Worker
from lander import worker
from lander.domain import jobs
from lander.models import ChildJob, ConsoleLine, MasterJob
from tests.lander.conftest import DATA, LOG, PARAMETERS, TRIGGER

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _containers(services, monkeypatch):
    """Where the files of the requests are."""
    for ticket in ("12", "1234"):
        services.data_stores.open(f"ticket.{ticket}", "sources")
    monkeypatch.setattr(ports, "data_stores", lambda: services.data_stores)


#: The example of the specification.
EXAMPLE = {
    "ticket": "1234",
    "source_packages": [
        f"{DATA}/ticket.1234.sources/autopilot.tar.gz",
        f"{DATA}/ticket.1234.sources/ubuntu-ui-toolkit.tar.gz",
    ],
    "binary_packages": ["python-autopilot", "ubuntu-ui-toolkit-autopilot", "libunity8"],
    "series": "trusty",
    "base_image": "trusty-desktop-amd64.iso",
    "progress_trigger": "lander-1234",
}


@pytest.mark.parametrize("parameters", [EXAMPLE, PARAMETERS])
def test_a_request_is_accepted_and_is_a_job(service, nobody, parameters):
    answer = service.post("execute_request/", parameters)
    assert (answer.status_code, answer.json()) == (
        202,
        {"state": "QUEUED", "progress_trigger": parameters["progress_trigger"]},
    )
    (job,) = nobody.get("job/").json()["objects"]
    assert (job["ticket_id"], job["state"], job["building"]) == (int(parameters["ticket"]), "QUEUED", True)
    assert job["parameters"] == parameters


def test_the_same_request_again_is_the_same_job_and_another_one_a_conflict(service):
    for _ in range(2):
        assert service.post("execute_request/", PARAMETERS).status_code == 202
    assert service.post("execute_request/", PARAMETERS | {"series": "sid"}).status_code == 409
    assert (MasterJob.objects.count(), WorkRequest.objects.count()) == (1, 1)


def test_a_database_that_only_lets_itself_be_read_is_asked_again_later(service, monkeypatch):
    def accept(*_: object, **__: object) -> None:
        raise InternalError("cannot execute INSERT in a read-only transaction")

    monkeypatch.setattr(jobs, "accept", accept)
    answer = service.post("execute_request/", PARAMETERS)
    assert (answer.status_code, answer.json()) == (
        503,
        {"error": "the database does not answer now; try again"},
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("ticket", "../1"),
        ("ticket", 0),
        ("ticket", None),
        ("source_packages", []),
        ("source_packages", ["/etc/passwd"]),
        ("binary_packages", ["--option"]),
        ("binary_packages", "hello"),
        ("remove_packages", [1]),
        ("series", "../sid"),
        ("base_image", "a\nb"),
        ("progress_trigger", "../x"),
        ("subtickets", [{"id": 1}]),
        ("private", "yes"),
        ("surprise", True),
    ],
)
def test_a_malformed_request_is_refused_and_changes_nothing(service, field, value):
    answer = service.post("execute_request/", PARAMETERS | {field: value})
    assert answer.status_code == 400
    assert answer.json()["error"]
    assert not MasterJob.objects.exists()


def test_only_services_and_operators_may_land_and_cancel(nobody, submitter, job):
    for path, body in (("execute_request/", EXAMPLE), ("cancel_request/", {"progress_trigger": TRIGGER})):
        assert nobody.post(path, body).status_code == 401
        assert submitter.post(path, body).status_code == 403
    job.refresh_from_db()
    assert job.cancelled_at is None


def test_a_landed_job_shows_its_stages_and_its_console(landed, nobody):
    job = landed()
    shown = nobody.get(f"job/{job.pk}/").json()
    assert (shown["state"], shown["building"], shown["progress_trigger"]) == ("SUCCESS", False, TRIGGER)
    assert [stage["stage"] for stage in shown["stages"]] == [
        "reserve",
        "build",
        "image",
        "test",
        "publish",
        "release",
    ]
    build = shown["stages"][1]
    assert (build["state"], build["result"]["logs"]) == ("SUCCESS", [LOG])
    assert build["parameters"]["ppa"] == "ppa:local/ci_pool-001"
    console = nobody.get(shown["console"].removeprefix("/api/v1/"))
    assert console["Content-Type"] == "text/plain; charset=utf-8"
    assert console.content.decode().startswith("== reserve: SUCCESS\n")


def test_a_cancelled_request_is_not_building_any_more(service, nobody, job):
    for _ in range(2):
        answer = service.post("cancel_request/", {"progress_trigger": TRIGGER})
        assert (answer.status_code, answer.json()["building"]) == (202, False)
    assert nobody.get(f"job/{job.pk}/").json()["building"] is False


def test_a_job_that_a_stage_has_failed_is_not_building_any_more(nobody, job):
    child = jobs.child_of(job, "build")
    jobs.start_child(child, {})
    assert nobody.get(f"job/{job.pk}/").json()["building"] is True
    jobs.end_child(child, ChildJob.State.FAILURE, "no progress on lander-1-build for 10 updates", {})
    assert nobody.get(f"job/{job.pk}/").json()["building"] is False


def test_what_is_unknown_or_ended_or_publishing_cannot_be_cancelled(service, landed, job):
    assert service.post("cancel_request/", {"progress_trigger": "ticket-99"}).status_code == 404
    publishing = jobs.child_of(job, "publish")
    jobs.start_child(publishing, {})
    assert "too late" in service.post("cancel_request/", {"progress_trigger": TRIGGER}).json()["error"]
    publishing.delete()
    failed = jobs.child_of(job, "build")
    assert jobs.fail_child(failed, "hello 2.10-4 failed to build", {})
    answer = service.post("cancel_request/", {"progress_trigger": TRIGGER})
    assert (answer.status_code, "has failed already" in answer.json()["error"]) == (409, True)
    failed.delete()
    landed()
    answer = service.post("cancel_request/", {"progress_trigger": TRIGGER})
    assert (answer.status_code, answer.json()["error"]) == (
        409,
        f"job {job.pk} of ticket 12 has ended already; there is nothing to cancel",
    )


@pytest.mark.django_db(transaction=True)
def test_of_cancelling_and_publishing_at_the_same_moment_one_wins(job, monkeypatch):
    cancelled: list[bool] = []

    def publish() -> None:
        jobs.start_child(jobs.child_of(job, "publish"), {})
        cancelled.append(jobs.is_cancelled(job))
        connection.close()

    publishing = threading.Thread(target=publish)
    now = timezone.now

    def meanwhile() -> datetime:
        """It is cancelled now: the stages have been looked at."""
        if publishing.ident is None:
            publishing.start()
            publishing.join(0.5)
        return now()

    jobs.child_of(job, "publish")
    monkeypatch.setattr(timezone, "now", meanwhile)
    try:
        building = jobs.cancel(TRIGGER).building
    except Conflict:
        building = True
    publishing.join()
    assert cancelled == [not building]


def test_a_private_job_is_seen_by_services_and_operators_only(service, operator, submitter, nobody):
    service.post("execute_request/", PARAMETERS | {"private": True})
    job = MasterJob.objects.get()
    for client, seen in ((service, True), (operator, True), (submitter, False), (nobody, False)):
        assert len(client.get("job/").json()["objects"]) == int(seen)
        for path in (f"job/{job.pk}/", f"job/{job.pk}/console/"):
            assert client.get(path).status_code == (200 if seen else 404)


def test_an_unknown_job_is_not_found_and_jobs_are_not_written(service, nobody):
    for path in ("job/1000000000/", "job/1000000000/console/", f"job/{2**80}/console/"):
        assert nobody.get(path).status_code == 404
    for method in (service.post, service.patch):
        assert method("job/", {}).status_code == 405


def test_jobs_can_be_filtered_and_are_listed_newest_first(service, nobody):
    for ticket in ("1", "2"):
        service.post("execute_request/", PARAMETERS | {"ticket": ticket, "progress_trigger": f"t-{ticket}"})
    assert [job["ticket_id"] for job in nobody.get("job/").json()["objects"]] == [2, 1]
    assert [job["ticket_id"] for job in nobody.get("job/", ticket_id=1).json()["objects"]] == [1]
    assert nobody.get("job/", state="RUNNING").json()["objects"] == []


def test_a_list_takes_the_same_number_of_queries_however_long_it_is(
    service, nobody, django_assert_num_queries
):
    for length in (1, 2, 3):
        trigger = f"ticket-{length}"
        service.post("execute_request/", PARAMETERS | {"progress_trigger": trigger})
        jobs.child_of(MasterJob.objects.get(progress_trigger=trigger), "build")
        with django_assert_num_queries(3):
            assert len(nobody.get("job/").json()["objects"]) == length


def test_the_status_names_the_running_job_and_its_stage(operator, job):
    jobs.begin(TRIGGER)
    jobs.start_child(jobs.child_of(job, "image"), {})
    status = operator.get("status/").json()["services"]["lander"]
    assert status["requests"]["queued"] == 1
    (running,) = status["jobs"]
    assert (running["id"], running["ticket_id"], running["stage"]) == (job.pk, 12, "image")


@pytest.mark.django_db(transaction=True)
def test_the_worker_lands_requests_in_their_order_and_keeps_how_they_ended(service, services, monkeypatch):
    monkeypatch.setattr(worker, "_services", lambda: services)
    triggers = ["ticket-2", "ticket-1"]
    for trigger in triggers:
        service.post("execute_request/", PARAMETERS | {"progress_trigger": trigger})
    works = Worker(worker.WORK[0], ports.broker(), timedelta(seconds=60), 60, "token", threading.Event())
    for trigger, state in zip(triggers, ("SUCCESS", "FAILURE"), strict=True):
        assert works.run_one()
        assert MasterJob.objects.get(progress_trigger=trigger).state == state
        services.image_builder.end = {"state": "FAILED", "message": "no room"}
    first, second = WorkRequest.objects.order_by("id")
    assert (first.state, second.state) == ("COMPLETED", "FAILED")
    assert second.result is not None
    assert (second.result["message"], second.result["failed_stage"]) == ("no room", "image")


def test_a_database_that_is_away_is_waited_for_and_the_landing_goes_on(job, services, monkeypatch):
    monkeypatch.setattr(worker, "RETRY_SECONDS", 0)
    monkeypatch.setattr(worker, "_services", lambda: services)
    monkeypatch.setattr(worker, "close_old_connections", lambda: None)
    accept = services.test_runner.start
    answers = iter([OperationalError("the database is gone")])

    def start(request):
        for error in answers:
            raise error
        return accept(request)

    monkeypatch.setattr(services.test_runner, "start", start)
    task = Task(TRIGGER, PARAMETERS, 1, ProgressPublisher(ports.broker(), TRIGGER, {}), lambda: False)
    assert worker.handle(task) == {"ticket": "12"}
    assert len(services.image_builder.requests) == 1


class TestStages:
    """What pages ask of the stages of jobs."""

    @pytest.fixture
    def child(self, job):
        now = timezone.now()
        child = ChildJob.objects.create(
            master=job,
            stage="build",
            state=ChildJob.State.SUCCESS,
            started_at=now - timedelta(seconds=90),
            ended_at=now,
        )
        for number in range(5):
            ConsoleLine.objects.create(child=child, written_at=now, text=f"line {number}")
        return child

    def test_a_console_is_read_on_from_any_line(self, nobody, job, child):
        text = nobody.get(f"job/{job.pk}/console/", stage="build", after=3).content.decode()
        assert [line.partition(" ")[2] for line in text.splitlines()] == ["line 3", "line 4"]

    def test_what_is_no_number_of_lines_is_refused(self, nobody, job, child):
        for wrong in ("-1", "x", "1" * 40):
            assert nobody.get(f"job/{job.pk}/console/", stage="build", after=wrong).status_code == 400
        assert nobody.get(f"job/{job.pk}/console/", stage="nonsense").status_code == 404

    def test_times_of_stages_are_told_of_jobs_that_have_ended(self, nobody, job, child):
        assert nobody.get("stagetimes/").json()["objects"] == []
        MasterJob.objects.update(ended_at=timezone.now())
        (time,) = nobody.get("stagetimes/").json()["objects"]
        assert (time["stage"], time["state"], time["seconds"]) == ("build", "SUCCESS", 90)

    def test_times_of_private_jobs_are_for_operators(self, nobody, operator, job, child):
        MasterJob.objects.update(ended_at=timezone.now(), private=True)
        assert nobody.get("stagetimes/").json()["objects"] == []
        assert len(operator.get("stagetimes/").json()["objects"]) == 1
