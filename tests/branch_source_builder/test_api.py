from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest

from branch_source_builder.worker import WORK
from ci_utils.archive.port import BuildState
from ci_utils.hosting import ports
from ci_utils.work_queue.worker import Worker

pytestmark = pytest.mark.django_db(transaction=True)

PPA = "ppa:local/ci_pool-001"


@pytest.fixture
def request_body(archives, uploaded):
    return {
        "ticket_id": 1,
        "cancel_url": None,
        "source_packages": uploaded("hello"),
        "series": "bookworm",
        "ppa": PPA,
        "archive": "ppa:local/archive",
        "progress_trigger": "lander-1-build",
    }


def _work() -> None:
    worker = Worker(WORK[0], ports.broker(), timedelta(seconds=60), 60, "token", threading.Event())
    assert worker.run_one()


def test_a_request_is_accepted_built_and_its_end_told_to_who_asks_again(service, request_body):
    accepted = service.post("build_source/", request_body)
    assert (accepted.status_code, accepted.json()) == (
        202,
        {"state": "QUEUED", "progress_trigger": "lander-1-build"},
    )
    _work()
    ended = service.post("build_source/", request_body).json()
    assert (ended["state"], ended["exit"], len(ended["logs"])) == ("COMPLETED", True, 1)


def test_messages_repeat_the_parameters_and_end_with_the_logs(service, request_body, archives):
    archives.outcome["hello"] = (BuildState.FAILED, "")
    request_body["progress_trigger"] = "told-messages"
    with ports.broker().progress("told-messages") as mailbox:
        service.post("build_source/", request_body)
        _work()
        messages: list[Any] = [mailbox.read(5)]
        while not messages[-1].get("exit"):
            messages.append(mailbox.read(5))
    assert {message["state"] for message in messages} == {"WAITING", "STATUS", "FAILED"}
    for message in messages:
        assert message["source_packages"] == request_body["source_packages"]
        assert (message["ppa"], message["progress_trigger"]) == (PPA, "told-messages")
    assert messages[-1]["message"] == "hello 2.10-4 failed to build on amd64"
    assert len(messages[-1]["logs"]) == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("ticket_id", "../1"),
        ("source_packages", []),
        ("source_packages", ["http://elsewhere.example/hello_1_source.changes"]),
        ("source_packages", ["http://127.0.0.1:8000/data/ticket.1.sources/..%2Fhello.changes"]),
        ("source_packages", "hello"),
        ("series", "book worm"),
        ("ppa", "ppa_build_1"),
        ("cancel_url", "file:///etc/passwd"),
        ("cancel_url", "http://localhost.example.com/api/v1/job/1/"),
        ("progress_trigger", "a b"),
        ("surprise", 1),
    ],
)
def test_a_malformed_request_is_refused_by_name(service, request_body, field, value):
    answer = service.post("build_source/", request_body | {field: value})
    assert answer.status_code == 400
    assert answer.json()["error"]


def test_a_request_without_a_changes_file_or_with_a_file_twice_is_refused(service, request_body):
    urls = request_body["source_packages"]
    without = [url for url in urls if not url.endswith(".changes")]
    for wrong, sentence in (
        (without, "source_packages: there is no .changes file among them"),
        ([*urls, urls[0]], "is there twice; name every file once"),
    ):
        answer = service.post("build_source/", request_body | {"source_packages": wrong})
        assert answer.status_code == 400
        assert sentence in answer.json()["error"]


def test_only_services_and_operators_may_ask(nobody, submitter, request_body):
    assert nobody.post("build_source/", request_body).status_code == 401
    assert submitter.post("build_source/", request_body).status_code == 403
    assert nobody.get("build_source/").status_code == 405


def test_the_status_counts_requests(nobody, service, request_body):
    service.post("build_source/", request_body)
    status = nobody.get("status/").json()["services"]["branch_source_builder"]
    assert status["requests"] == {"queued": 1, "running": 0, "completed": 0, "failed": 0}
