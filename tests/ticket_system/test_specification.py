"""Every example call of the specification's chapter "Ticket System", as it is written there."""

from __future__ import annotations

import pytest

from tests.ticket_system.submission import Submission

NEW_TICKET = {
    "owner": "owner@example.com",
    "title": "My first ticket",
    "description": "This if my first ticket. See what it can do",
    "bug_id": "12345",
}

READS = [
    "ticket/",
    "fullticket/{ticket}/",
    "ticket/{ticket}/",
    "opentickets/",
    "ticketstatus/",
    *(f"ticketstatus/?current_workflow_step={step}" for step in (100, 200, 300, 400, 500, 999, 1000)),
    "sourcepackage/",
    "binarypackage/",
]


@pytest.fixture
def ticket(submission: Submission) -> int:
    """The number of a queued ticket."""
    return submission.queued()


@pytest.mark.parametrize("path", READS)
def test_the_examples_that_read(nobody, ticket, path):
    response = nobody._client.get(f"/api/v1/{path.format(ticket=ticket)}")
    assert response.status_code == 200
    assert response["Content-Type"].startswith("application/json")
    # The specification's lander calls leave the last slash away.
    assert nobody._client.get(f"/api/v1/{path.format(ticket=ticket)}".rstrip("/")).status_code == 200


def test_the_examples_that_make_a_ticket(submitter, submission):
    made = submitter.post("ticket/", NEW_TICKET)
    assert made["Location"].endswith(f"/api/v1/ticket/{made.json()['id']}/")
    source = submitter.post("sourcepackage/", {"name": "my-package"})
    upload = submitter.post("spu/", {"sourcepackage": source["Location"], "version": "1.0"})
    subticket = {
        "source_package_upload": upload["Location"],
        "ticket": made["Location"],
        "assignee": "test@example.com",
    }
    assert submitter.post("subticket/", subticket).status_code == 201


def test_the_examples_that_update(service, ticket, nobody):
    subticket = nobody.get(f"fullticket/{ticket}/").json()["subtickets"][0]["id"]
    queued = {"current_workflow_step": "100", "status": "000"}
    assert service.patch(f"updateticketstatus/{ticket}/", queued).status_code == 200
    assert service.patch(f"updatesubticketstatus/{subticket}/", queued).status_code == 200
    complete = {"current_workflow_step": "1000", "status": "1000"}
    assert service.patch(f"updateticketstatus/{ticket}/", complete).status_code == 200


@pytest.mark.parametrize("kind", ["RESULTS", "LOGS", "IMAGE"])
def test_the_examples_that_add_an_artifact_to_a_ticket(service, ticket, kind):
    artifact = {
        "name": "my_artifact",
        "ticket": f"/api/v1/ticket/{ticket}/",
        "reference": "http://path.to/artifact/",
        "type": kind,
    }
    response = service.post("ticketartifact/", artifact)
    assert response.status_code == 201
    assert response.json() | artifact == response.json()


@pytest.mark.parametrize("kind", ["RESULTS", "LOGS"])
def test_the_examples_that_add_an_artifact_to_a_subticket(service, ticket, nobody, kind):
    address = nobody.get("subticket/").json()["objects"][0]["resource_uri"]
    artifact = {
        "name": "my_artifact",
        "subticket": address,
        "reference": "http://path.to/artifact/",
        "type": kind,
    }
    response = service.post("subticketartifact/", artifact)
    assert response.status_code == 201
    assert response.json() | artifact == response.json()
