"""Making a ticket step by step, as the specification's examples do."""

from __future__ import annotations

import pytest

from tests.ci_utils.source_package.uploads import Upload
from tests.ticket_system.submission import TICKET
from ticket_system.models import SubTicketArtifact, Ticket


@pytest.fixture
def parts(submitter) -> dict[str, str]:
    """The addresses of a ticket, a source package, an upload of it and a subticket."""
    parts = {
        "ticket": submitter.post("ticket/", TICKET),
        "sourcepackage": submitter.post("sourcepackage/", {"name": "hello"}),
    }
    upload = {"sourcepackage": parts["sourcepackage"]["Location"], "version": "2.10-4"}
    parts["spu"] = submitter.post("spu/", upload)
    subticket = {
        "source_package_upload": parts["spu"]["Location"],
        "ticket": parts["ticket"]["Location"].rstrip("/"),
        "assignee": "bob@example.com",
    }
    parts["subticket"] = submitter.post("subticket/", subticket)
    assert {response.status_code for response in parts.values()} == {201}
    return {name: response["Location"] for name, response in parts.items()}


def test_a_ticket_made_step_by_step_is_queued(parts, submission, nobody):
    for name, content in submission.files(Upload()).items():
        file = {"name": name, "subticket": parts["subticket"], "type": "SPU"}
        response = submission.client.post("subticketartifact/", file)
        assert response.status_code == 201
        submission.put(response.json()["upload_url"], content)
        again = submission.client.post(
            "subticketartifact/", file | {"reference": response.json()["reference"]}
        )
        assert (again.status_code, again.json()["id"]) == (200, response.json()["id"])
    ticket = Ticket.objects.get()
    assert submission.queue(ticket.pk).status_code == 200
    full = nobody.get(f"fullticket/{ticket.pk}/").json()
    assert (full["bug_id"], full["current_workflow_step"]) == ("12345", "100")
    assert full["subtickets"][0]["assignee"] == "bob@example.com"
    assert full["subtickets"][0]["source_package_upload"]["sourcepackage"] == "hello"


def test_an_upload_without_files_is_not_queued(parts, submission):
    response = submission.queue(Ticket.objects.get().pk)
    assert response.json()["error"] == "hello 2.10-4 must have one .changes file, not 0"


def test_a_file_of_another_ticket_is_no_file_of_this_one(parts, submission):
    submission.uploaded(Upload(source="bye", version="1.0-1"), private=True)
    foreign = SubTicketArtifact.objects.first()
    assert foreign
    file = {
        "name": foreign.name,
        "subticket": parts["subticket"],
        "type": "SPU",
        "reference": foreign.reference,
    }
    response = submission.client.post("subticketartifact/", file)
    assert response.status_code == 400
    assert "belongs at http://localhost:8000/data/ticket." in response.json()["error"]


@pytest.mark.parametrize("name", ["../x", ".x", "-x", "a b", "x\n", ""])
def test_a_file_needs_a_plain_name(parts, submitter, name):
    file = {"name": name, "subticket": parts["subticket"], "type": "SPU"}
    response = submitter.post("subticketartifact/", file)
    assert response.status_code == 400
    assert "name" in response.json()["error"]


def test_a_source_package_that_is_known_is_answered_with(submitter):
    first, second = (submitter.post("sourcepackage/", {"name": "hello"}) for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json() == second.json()


def test_a_number_with_a_point_names_the_same_object(parts, submitter):
    number = float(parts["sourcepackage"].rstrip("/").rpartition("/")[2])
    assert submitter.post("spu/", {"sourcepackage": number, "version": "2.10-5"}).status_code == 201


def test_an_upload_is_part_of_one_ticket_only(parts, submitter):
    other = submitter.post("ticket/", TICKET)["Location"]
    response = submitter.post("subticket/", {"source_package_upload": parts["spu"], "ticket": other})
    assert response.status_code == 409


def test_a_source_is_in_a_ticket_once(parts, submitter):
    upload = submitter.post("spu/", {"sourcepackage": parts["sourcepackage"], "version": "2.10-5"})
    response = submitter.post(
        "subticket/", {"source_package_upload": upload["Location"], "ticket": parts["ticket"]}
    )
    assert response.status_code == 400
    assert "has the source package hello already" in response.json()["error"]


def test_only_the_submitter_adds_to_a_ticket(parts, other_submitter, nobody):
    upload = other_submitter.post("spu/", {"sourcepackage": parts["sourcepackage"], "version": "2.10-5"})
    subticket = {"source_package_upload": upload["Location"], "ticket": parts["ticket"]}
    assert other_submitter.post("subticket/", subticket).status_code == 403
    assert nobody.post("subticket/", subticket).status_code == 401
    file = {"name": "hello_x", "subticket": parts["subticket"], "type": "SPU"}
    assert other_submitter.post("subticketartifact/", file).status_code == 403


def test_an_upload_of_somebody_else_cannot_be_taken(parts, submitter, other_submitter):
    upload = other_submitter.post("spu/", {"sourcepackage": parts["sourcepackage"], "version": "2.10-5"})
    subticket = {"source_package_upload": upload["Location"], "ticket": parts["ticket"]}
    assert submitter.post("subticket/", subticket).status_code == 404


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("ticket/", {}),
        ("ticket/", TICKET | {"title": 1}),
        ("ticket/", TICKET | {"current_workflow_step": "1000"}),
        ("ticket/", TICKET | {"bug_id": {}}),
        ("ticket/", TICKET | {"bug_id": 10**4200}),
        ("sourcepackage/", {"name": "Hello"}),
        ("sourcepackage/", {"name": "hello\n"}),
        ("spu/", {"sourcepackage": "/api/v1/sourcepackage/X/", "version": "1.0"}),
        ("spu/", {"sourcepackage": "/api/v1/ticket/1/", "version": "1.0"}),
        ("spu/", {"sourcepackage": 0, "version": "1.0"}),
        ("subticket/", {"source_package_upload": "/api/v1/spu/1/", "ticket": True}),
        ("subticket/", {"source_package_upload": "/api/v1/spu/1/", "ticket": 1.5}),
        ("subticketartifact/", {"name": "x", "subticket": 1, "type": "IMAGE", "reference": "http://x/"}),
        (
            "subticketartifact/",
            {"name": "x", "subticket": 1, "type": "SPU", "reference": "file:///etc/passwd"},
        ),
    ],
)
def test_a_wrong_request_is_refused_and_changes_nothing(submitter, path, data):
    response = submitter.post(path, data)
    assert response.status_code == 400
    assert response.json()["error"]
    assert not Ticket.objects.exists()


def test_a_version_that_is_none_is_refused(parts, submitter):
    response = submitter.post("spu/", {"sourcepackage": parts["sourcepackage"], "version": "1.0/../2"})
    assert response.json()["error"] == "version: '1.0/../2' is not a Debian version"


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("spu/", {"sourcepackage": 999, "version": "1.0"}),
        ("subticket/", {"source_package_upload": 1, "ticket": 999}),
        ("subticketartifact/", {"name": "x", "subticket": 999, "type": "SPU"}),
    ],
)
def test_what_is_not_there_is_not_found(submitter, path, data):
    assert submitter.post(path, data).status_code == 404


@pytest.mark.parametrize("kind", ["RESULTS", "LOGS", "IMAGE"])
def test_an_artifact_of_a_ticket_told_twice_is_there_once(parts, service, nobody, kind):
    file = {"name": "my_artifact", "ticket": parts["ticket"], "reference": "http://x.example/1", "type": kind}
    assert service.post("ticketartifact/", file).status_code == 201
    assert service.post("ticketartifact/", file | {"reference": "http://x.example/2"}).status_code == 200
    listed = nobody.get("ticketartifact/", type=kind).json()["objects"]
    assert [(a["name"], a["reference"], a["ticket"]) for a in listed] == [
        ("my_artifact", "http://x.example/2", parts["ticket"])
    ]


def test_many_artifacts_of_a_ticket_come_in_one_call_and_are_there_once(
    parts, service, nobody, django_assert_num_queries
):
    files = [{"name": f"log-{n}", "reference": "http://x.example/1", "type": "LOGS"} for n in range(50)]
    told = {"ticket": parts["ticket"], "artifacts": files}
    with django_assert_num_queries(4):  # two of them for the transaction
        response = service.post("ticketartifacts/", told)
    assert (response.status_code, response.json()) == (201, {"artifacts": 50})
    changed = [file | {"reference": "http://x.example/2"} for file in [*files, files[0]]]
    assert service.post("ticketartifacts/", told | {"artifacts": changed}).json() == {"artifacts": 50}
    listed = nobody.get("ticketartifact/", limit=100).json()["objects"]
    assert [(a["name"], a["reference"]) for a in listed] == [
        (file["name"], "http://x.example/2") for file in files
    ]


def test_artifacts_that_come_in_one_call_are_added_all_or_none(parts, service, submitter, nobody):
    good = {"name": "log", "reference": "http://x.example/", "type": "LOGS"}
    for ticket, files in ((parts["ticket"], [good, good | {"type": "SPU"}]), ("/api/v1/ticket/999/", [good])):
        response = service.post("ticketartifacts/", {"ticket": ticket, "artifacts": files})
        assert response.status_code in (400, 404)
    assert (
        submitter.post("ticketartifacts/", {"ticket": parts["ticket"], "artifacts": [good]}).status_code
        == 403
    )
    assert nobody.get("ticketartifact/").json()["meta"]["total_count"] == 0


def test_results_and_logs_of_a_subticket_come_from_services(parts, service, submitter, nobody):
    file = {"name": "log", "subticket": parts["subticket"], "reference": "http://x.example/", "type": "LOGS"}
    assert submitter.post("subticketartifact/", file).status_code == 403
    assert service.post("subticketartifact/", file | {"reference": ""}).status_code == 400
    response = service.post("subticketartifact/", file)
    assert response.status_code == 201
    assert "upload_url" not in response.json()
    assert nobody.get("subticketartifact/", type="LOGS").json()["meta"]["total_count"] == 1


@pytest.mark.parametrize("client", ["submitter", "operator"])
def test_people_do_not_add_results(parts, request, client):
    file = {"name": "x", "ticket": parts["ticket"], "reference": "http://x.example/", "type": "IMAGE"}
    assert request.getfixturevalue(client).post("ticketartifact/", file).status_code == 403


def test_a_ticket_is_changed_by_its_submitter(parts, submitter, other_submitter, operator):
    path = parts["ticket"].removeprefix("/api/v1/")
    response = submitter.patch(path, {"title": "New", "description": "a\nb", "bug_id": 7, "owner": "b@c"})
    assert response.status_code == 200
    assert {name: response.json()[name] for name in ("title", "description", "bug_id", "owner")} == {
        "title": "New",
        "description": "a\nb",
        "bug_id": "7",
        "owner": "b@c",
    }
    assert other_submitter.patch(path, {"title": "Mine"}).status_code == 403
    assert operator.patch(path, {"title": "Better"}).status_code == 200
    assert submitter.patch(path, {"current_workflow_step": "1000"}).status_code == 400
    assert submitter.patch("ticket/999/", {"title": "x"}).status_code == 404


def test_an_ended_ticket_is_not_changed(parts, submitter, lander):
    path = parts["ticket"].removeprefix("/api/v1/")
    submitter.post(f"{path}cancel/", {})
    assert submitter.patch(path, {"title": "New"}).status_code == 409


@pytest.mark.parametrize("resource", ["ticket/1/", "sourcepackage/1/", "ticketstatus/", "bundle/"])
def test_nothing_is_deleted(operator, resource):
    assert operator.delete(resource).status_code == 405
