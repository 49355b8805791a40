"""Queueing a ticket: everything it brings is verified from the data store."""

from __future__ import annotations

import pytest

from ci_utils.work_queue.models import WorkRequest
from tests.ci_utils.source_package.uploads import Upload
from ticket_system.models import SubTicketArtifact, Ticket

ORIG = "hello_2.10.orig.tar.gz"


def refusal(submission, ticket_id: int, status: int = 400) -> str:
    """The sentence that refuses to queue a ticket, which stays as it is."""
    before = Ticket.objects.values().get(pk=ticket_id)
    response = submission.queue(ticket_id)
    assert response.status_code == status, response.content
    assert Ticket.objects.values().get(pk=ticket_id) == before
    assert not WorkRequest.objects.exists()
    return str(response.json()["error"])


def test_a_ticket_with_all_its_files_is_queued(submission):
    ticket_id = submission.uploaded(add_packages=["hello"])
    response = submission.queue(ticket_id)
    assert response.status_code == 200
    assert response.json() == {
        "id": ticket_id,
        "current_workflow_step": "100",
        "step_name": "Queued",
        "status": "000",
        "message": "",
    }
    ticket = Ticket.objects.get()
    assert ticket.queued_at
    assert [t.workflow_step for t in ticket.history.all()] == ["000", "100"]
    request = WorkRequest.objects.get()
    assert (request.queue, request.key) == ("ticket_system", f"ticket-{ticket_id}")
    assert request.payload == {"ticket_id": ticket_id}


def test_queueing_twice_is_harmless(submission):
    ticket_id = submission.queued()
    before = Ticket.objects.values().get()
    assert submission.queue(ticket_id).status_code == 200
    assert Ticket.objects.values().get() == before
    assert WorkRequest.objects.count() == 1


def test_queueing_again_a_ticket_that_is_in_work_is_harmless(submission, service):
    ticket_id = submission.queued()
    building = {"current_workflow_step": "200", "status": "100"}
    assert service.patch(f"updateticketstatus/{ticket_id}/", building).status_code == 200

    response = submission.queue(ticket_id)

    assert response.status_code == 200
    assert response.json()["current_workflow_step"] == "200"


def test_a_missing_file_is_named(submission, stores):
    ticket_id = submission.uploaded()
    stores.open(f"ticket.{ticket_id}", "sources").delete_file(ORIG)
    assert refusal(submission, ticket_id).startswith(f"{ORIG} is missing")


def test_a_ticket_without_its_changes_is_refused(submission, stores):
    ticket_id = submission.uploaded()
    stores.open(f"ticket.{ticket_id}", "sources").delete_file(Upload().changes_name)
    assert refusal(submission, ticket_id).startswith("hello_2.10-4_source.changes is missing")


def test_a_checksum_that_does_not_match_is_named(submission):
    ticket_id = submission.bundle().json()["id"]
    changed = submission.files(Upload()) | {ORIG: b"the upstream sourceS"}
    for artifact in SubTicketArtifact.objects.all():
        store, name = submission.stores.locate(artifact.reference)
        store.put_file(name, changed[name])
    assert refusal(submission, ticket_id) == (
        f"{ORIG} does not match its SHA-256 checksum in hello_2.10-4_source.changes"
    )


def test_a_changes_exchanged_after_the_bundle_is_verified_again(submission, mallory):
    ticket_id = submission.bundle().json()["id"]
    submission.key = mallory
    for artifact in SubTicketArtifact.objects.all():
        store, name = submission.stores.locate(artifact.reference)
        store.put_file(name, submission.files(Upload())[name])
    assert "does not trust" in refusal(submission, ticket_id)


def test_a_changes_of_another_version_is_refused(submission, stores):
    ticket_id = submission.uploaded()
    other = submission.key.clearsign(Upload(version="2.10-5").changes())
    stores.open(f"ticket.{ticket_id}", "sources").put_file(Upload().changes_name, other)
    assert "is of hello 2.10-5, but subticket" in refusal(submission, ticket_id)


def test_a_dsc_that_tells_another_story_is_refused(submission):
    ticket_id = submission.uploaded(Upload(dsc_fields={"Source": "other"}))
    assert "hello_2.10-4.dsc describes other 2.10-4" in refusal(submission, ticket_id)


def test_a_file_that_is_not_declared_is_named(submission):
    ticket_id = submission.uploaded()
    subticket = Ticket.objects.get().subtickets.get().pk
    stray = {"name": "hello_extra.tar.gz", "type": "SPU", "subticket": subticket}
    assert submission.client.post("subticketartifact/", stray).status_code == 201
    assert "hello_extra.tar.gz was uploaded, but" in refusal(submission, ticket_id)


def test_a_version_that_was_published_meanwhile_is_refused(submission, archives):
    ticket_id = submission.uploaded()
    archives.published["hello"] = "2.10-4"
    assert "hello 2.10-4 is not higher" in refusal(submission, ticket_id)


def test_an_unknown_package_is_refused_at_the_latest_here(submission):
    ticket_id = submission.uploaded(add_packages=["no-such-package"])
    assert "no binary package is named no-such-package" in refusal(submission, ticket_id)


def test_a_package_that_the_uploaded_dsc_builds_can_be_added(submission):
    assert submission.queued(Upload(dsc_fields={"Binary": "hello-new"}), add_packages=["hello-new"])


def test_a_ticket_without_a_source_package_is_refused(submission, submitter):
    ticket = submitter.post("ticket/", {"owner": "alice@example.com", "title": "Nothing"}).json()
    assert "has no source package" in refusal(submission, ticket["id"])


def test_a_file_added_while_the_ticket_is_verified_is_noticed(submission, archives):
    ticket_id = submission.uploaded()
    subticket = Ticket.objects.get().subtickets.get()

    def add_a_file(names, *, series):
        SubTicketArtifact.objects.create(subticket=subticket, type="SPU", name="late", reference="http://x")
        return []

    archives.unknown_binaries = add_a_file
    assert "was changed while it was verified" in refusal(submission, ticket_id, 409)


@pytest.mark.parametrize(
    ("client", "status"), [("nobody", 401), ("other_submitter", 403), ("operator", 200), ("service", 200)]
)
def test_only_its_submitter_operators_and_services_queue_a_ticket(submission, request, client, status):
    ticket_id = submission.uploaded()
    body = {"current_workflow_step": 100, "status": 0}
    response = request.getfixturevalue(client).patch(f"updateticketstatus/{ticket_id}/", body)
    assert response.status_code == status


def test_a_queued_ticket_takes_no_more_files(submission):
    submission.queued()
    file = {"name": "hello_x", "type": "SPU", "subticket": Ticket.objects.get().subtickets.get().pk}
    response = submission.client.post("subticketartifact/", file)
    assert response.status_code == 409
    assert "make a new ticket for other contents" in response.json()["error"]
