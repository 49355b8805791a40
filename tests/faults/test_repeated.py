"""The same request twice, at once and later, to every service: done once, answered the same."""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from tests.end_to_end.engine import Engine, until
from tests.faults.conftest import Submit, mortal_engine
from tests.source_packages import SourcePackage

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.timeout(900)]

AT_ONCE = 8
Answer = tuple[int, Any]


@pytest.fixture(scope="module")
def engine(parts, uploader) -> Iterator[Engine]:
    """One engine for all tests here."""
    with mortal_engine(parts, uploader) as engine:
        yield engine


@pytest.fixture
def post(engine: Engine) -> Callable[..., list[Answer]]:
    """POST the same several times at once, as a service if not as its user; the answers."""

    def post(
        path: str,
        body: object,
        *,
        times: int = AT_ONCE,
        method: str = "POST",
        by: str = "service-token",
        headers: Mapping[str, str] | None = None,
    ) -> list[Answer]:
        token = (engine.data_dir / by).read_text().strip()
        sent = {"Authorization": f"Bearer {token}", **(headers or {})}

        def send(_: int) -> Answer:
            answer = requests.request(
                method, f"{engine.url}/api/v1/{path}", json=body, headers=sent, timeout=300
            )
            return answer.status_code, answer.json() if answer.content else None

        with ThreadPoolExecutor(times) as threads:
            return list(threads.map(send, range(times)))

    return post


@pytest.fixture
def landed(engine: Engine, submit: Submit) -> dict[str, Any]:
    """A ticket that failed in its image, so that each service but the test runner had its request."""
    done = [ticket["id"] for ticket in engine.client.tickets() if ticket["failed_workflow_step"] == "300"]
    needy = SourcePackage("needy", "1.0", depends="no-such-package")
    ended = engine.wait_for_end(done[0] if done else submit(needy, "-a", "needy"))
    # The ticket is told of its end before the lander records its own.
    until(lambda: not engine.client.get("status/")["services"]["lander"]["running"])
    return ended


def work(engine: Engine, ticket: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What the lander asked of the services, by operation."""
    (job,) = engine.client.get("job/", ticket_id=ticket["id"])["objects"]
    asked = {stage["stage"]: stage["parameters"] for stage in job["stages"]}
    return {"build_source": asked["build"], "build_image": asked["image"]}


def test_a_bundle_under_one_key_is_one_ticket(engine, post, uploader, tmp_path):
    changes = SourcePackage("single", "1.0").upload(tmp_path, uploader)
    source = {"changes_name": changes.name, "changes": changes.read_text()}
    bundle = {"title": "t", "owner": "me@example.com", "sources": [source]}
    before = len(list(engine.client.tickets()))

    answers = post("bundle/", bundle, by="local-token", headers={"Idempotency-Key": "a-key-of-my-own"})

    assert sorted(status for status, _ in answers) == [200] * (AT_ONCE - 1) + [201]
    assert len({answer["sources"][0]["subticket"] for _, answer in answers}) == 1
    assert len(list(engine.client.tickets())) == before + 1


def test_work_that_has_been_done_is_answered_and_not_done_again(engine, post, landed):
    before = engine.client.get("status/")
    for operation, request in work(engine, landed).items():
        first, *others = post(f"{operation}/", request)
        assert first[0] == 202
        assert first[1]["exit"] is True
        assert others == [first] * (AT_ONCE - 1)
        assert post(f"{operation}/", request, times=1) == [first]
    assert _counts(engine.client.get("status/")) == _counts(before)


def test_a_trigger_that_stands_for_another_request_is_a_conflict(engine, post, landed):
    for operation, request in work(engine, landed).items():
        for status, answer in post(f"{operation}/", {**request, "private": True}):
            assert status == 409
            assert request["progress_trigger"] in answer["error"]


def test_a_test_request_that_comes_many_times_is_one(engine, post):
    request = {
        "ticket_id": 1,
        "cancel_url": None,
        "image_id": "0" * 32,
        "package_list": ["absent"],
        "ppa_list": [],
        "series": "any",
        "progress_trigger": "again",
    }
    assert {status for status, _ in post("test_image/", request)} == {202}
    until(lambda: post("test_image/", request, times=1)[0][1].get("exit"))

    first, *others = post("test_image/", request)
    assert others == [first] * (AT_ONCE - 1)
    assert _counts(engine.client.get("status/"))["test_runner"]["failed"] == 1


def test_landing_requests_for_one_ticket_are_one_job(engine, post, landed):
    (job,) = engine.client.get("job/", ticket_id=landed["id"])["objects"]

    first, *others = post("execute_request/", job["parameters"])

    assert first[0] == 202, first
    assert others == [first] * (AT_ONCE - 1)
    assert [j["id"] for j in engine.client.get("job/", ticket_id=landed["id"])["objects"]] == [job["id"]]


def test_an_archive_is_reserved_and_released_once(engine, post):
    until(lambda: [ppa["state"] for ppa in engine.client.get("ppa/")["objects"]] == ["free"])

    answers = post("ppa/", {"ticket_id": 4711})
    assert len({answer["id"] for _, answer in answers}) == 1, answers
    assert {answer["ticket_id"] for _, answer in answers} == {4711}

    given_back = {"state": "dirty", "ticket_id": 4711}
    with (engine.data_dir / "archives" / ".state" / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # it is not cleaned, and free for others, before all are answered
        released = post(f"ppa/{answers[0][1]['id']}/", given_back, method="PATCH")
    assert {status for status, _ in released} == {200}, released
    until(lambda: [ppa["state"] for ppa in engine.client.get("ppa/")["objects"]] == ["free"])


def test_a_ticket_that_is_queued_many_times_lands_once(engine, post, submit):
    ticket = submit(SourcePackage("eager", "1.0", build="sleep 600"), "--wait")
    queued = {"current_workflow_step": "100", "status": "000"}
    path = f"updateticketstatus/{ticket}/"

    answers = post(path, queued, method="PATCH", by="local-token")
    until(lambda: engine.client.ticket(ticket)["current_workflow_step"] == "200")
    answers += post(path, queued, method="PATCH", by="local-token")

    assert {status for status, _ in answers} == {200}, answers
    engine.client.cancel(ticket)  # all are answered
    assert engine.wait_for_end(ticket)["failed_workflow_step"] == "200"
    assert len(engine.client.get("job/", ticket_id=ticket)["objects"]) == 1
    steps = [change["workflow_step"] for change in engine.client.ticket(ticket)["history"]]
    assert steps.count("100") == 1


def _counts(status: dict[str, Any]) -> dict[str, Any]:
    services = status["services"].items()
    return {name: numbers["requests"] for name, numbers in services if "requests" in numbers}
