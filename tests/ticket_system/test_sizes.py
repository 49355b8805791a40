"""Files of tickets tell how large they are."""

from __future__ import annotations

import pytest

from tests.ci_utils.source_package.uploads import Upload

pytestmark = pytest.mark.django_db


def sizes(artifacts) -> dict[str, int | None]:
    return {artifact["name"]: artifact["size"] for artifact in artifacts}


def test_uploaded_files_are_as_large_as_the_changes_says(submission, nobody):
    answer = submission.bundle().json()
    (subticket,) = nobody.get(f"fullticket/{answer['id']}/").json()["subtickets"]
    found = sizes(subticket["artifacts"])
    expected = {name: len(content) for name, content in Upload().contents().items()}
    assert {name: size for name, size in found.items() if name in expected} == expected


def test_what_the_engine_leaves_behind_is_measured_where_it_lies(submission, service, nobody, stores):
    ticket_id = submission.bundle().json()["id"]
    store = stores.open(f"ticket.{ticket_id}", "image", public=True)
    log = store.put_file("image.log", b"x" * 1234)
    files = [
        {"name": "image.log", "reference": log, "type": "LOGS"},
        {"name": "gone.log", "reference": store.file_path("gone.log"), "type": "LOGS"},
        {"name": "image", "reference": "http://elsewhere.example/image.qcow2", "type": "IMAGE"},
    ]
    many = service.post("ticketartifacts/", {"ticket": f"/api/v1/ticket/{ticket_id}/", "artifacts": files})
    assert many.status_code == 201, many.content
    one = {"name": "other.log", "reference": log, "type": "LOGS", "ticket": f"/api/v1/ticket/{ticket_id}/"}
    assert service.post("ticketartifact/", one).json()["size"] == 1234
    found = sizes(nobody.get(f"fullticket/{ticket_id}/").json()["artifacts"])
    assert found == {"image.log": 1234, "gone.log": None, "image": None, "other.log": 1234}
