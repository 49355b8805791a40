"""The REST interface takes what the specification's example sends and refuses the rest."""

from __future__ import annotations

import pytest

from ci_utils.work_queue.models import WorkRequest

REQUEST = {
    "base_image": {"image_type": "cloud", "url_list": ["jammy-server"], "series": "jammy"},
    "ppa_list": ["ppa:project/ppaname"],
    "package_list": ["libfoo", "baz-utils"],
    "progress_trigger": "testbuild-1-imagebuilder",
    "ticket_id": "1",
    "cancel_url": None,
}


def test_a_request_is_accepted_and_waits_for_a_worker(service):
    answer = service.post("build_image/", REQUEST)
    assert answer.status_code == 202
    assert answer.json() == {"state": "QUEUED", "progress_trigger": "testbuild-1-imagebuilder"}
    request = WorkRequest.objects.get(queue="image_builder")
    assert request.payload == REQUEST


def test_the_same_request_twice_is_one(service):
    service.post("build_image/", REQUEST)
    assert service.post("build_image/", REQUEST).status_code == 202
    assert WorkRequest.objects.count() == 1


def test_another_request_with_the_same_trigger_is_a_conflict(service):
    service.post("build_image/", REQUEST)
    assert service.post("build_image/", {**REQUEST, "package_list": []}).status_code == 409


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"ticket_id": None}, "ticket_id"),
        ({"ppa_list": ["ppa:../x"]}, "ppa_list"),
        ({"package_list": ["-oDebug=1"]}, "package_list"),
        ({"remove_package_list": ["a b"]}, "remove_package_list"),
        ({"progress_trigger": "../x"}, "progress_trigger"),
        ({"base_image": {"image_type": "floppy", "url_list": [], "series": "jammy"}}, "base_image"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_a_malformed_request_is_refused_with_the_fields_name(service, change, field):
    answer = service.post("build_image/", {**REQUEST, **change})
    assert answer.status_code == 400
    assert field in answer.json()["error"]
    assert not WorkRequest.objects.exists()


def test_a_request_needs_a_token_that_allows_it(nobody, submitter):
    assert nobody.post("build_image/", REQUEST).status_code == 401
    assert submitter.post("build_image/", REQUEST).status_code == 403


def test_the_status_counts_requests(service, nobody):
    service.post("build_image/", REQUEST)
    answer = service.get("imagebuilder/status")
    assert answer.status_code == 200
    assert answer.json()["requests"]["queued"] == 1
    assert answer.json()["running"] == []
