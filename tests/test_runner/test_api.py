"""The REST interface takes what the lander sends and refuses the rest."""

from __future__ import annotations

import pytest

from ci_utils.work_queue.models import WorkRequest

REQUEST = {
    "ticket_id": "1",
    "image_id": "3dd2a3195e4187f5f81daf4d0ef6d322",
    "package_list": ["hello", "jq"],
    "ppa_list": ["ppa:local/ci_pool-001"],
    "series": "bookworm",
    "progress_trigger": "lander-1-test",
    "cancel_url": None,
}


def test_a_request_is_accepted_and_waits_for_a_worker(service):
    answer = service.post("test_image/", REQUEST)
    assert answer.status_code == 202
    assert answer.json() == {"state": "QUEUED", "progress_trigger": "lander-1-test"}
    assert WorkRequest.objects.get(queue="test_runner").payload == REQUEST


def test_the_parameters_of_the_specification_are_enough(service):
    names = ("ticket_id", "image_id", "package_list", "progress_trigger")
    answer = service.post("test_image/", {name: REQUEST[name] for name in names})
    assert answer.status_code == 202


def test_the_same_request_twice_is_one(service):
    service.post("test_image/", REQUEST)
    assert service.post("test_image/", REQUEST).status_code == 202
    assert WorkRequest.objects.count() == 1


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"package_list": ["../etc"]}, "package_list"),
        ({"package_list": "hello"}, "package_list"),
        ({"ppa_list": ["http://example.com"]}, "ppa_list"),
        ({"progress_trigger": "a/b"}, "progress_trigger"),
        ({"ticket_id": "../1"}, "ticket_id"),
        ({"cancel_url": "file:///etc/passwd"}, "cancel_url"),
    ],
)
def test_a_malformed_request_is_refused_with_the_fields_name(service, change, field):
    answer = service.post("test_image/", {**REQUEST, **change})
    assert answer.status_code == 400
    assert field in answer.json()["error"]
    assert not WorkRequest.objects.exists()


def test_a_request_needs_a_token_that_allows_it(nobody, submitter):
    assert nobody.post("test_image/", REQUEST).status_code == 401
    assert submitter.post("test_image/", REQUEST).status_code == 403
