"""Sending an ended ticket again."""

from __future__ import annotations

import pytest

from ci_utils.work_queue.models import WorkRequest
from tests.ci_utils.source_package.uploads import Upload
from ticket_system.models import SubTicketArtifact, Ticket, TrustedUploader

FAILED = {"current_workflow_step": "999", "status": "999", "message": "hello failed to build"}
BYE = Upload(source="bye", version="1-1")
TOLD = {
    "title": "Greet",
    "description": "why",
    "bug_id": "7",
    "add_packages": ["hello"],
    "remove_packages": ["vim"],
}


@pytest.fixture
def failed(submission, service) -> int:
    """The number of a ticket of two sources that failed."""
    ticket_id: int = submission.queued(Upload(), BYE, **TOLD)
    assert service.patch(f"updateticketstatus/{ticket_id}/", FAILED).status_code == 200
    return ticket_id


def retry(client, ticket_id):
    return client.post(f"ticket/{ticket_id}/retry/", {})


def refusal(client, ticket_id, status) -> str:
    """The sentence that refuses a retry, which makes no ticket."""
    before = Ticket.objects.count()
    response = retry(client, ticket_id)
    assert response.status_code == status, response.content
    assert Ticket.objects.count() == before
    return str(response.json()["error"])


def test_a_retry_is_a_queued_ticket_with_the_same_contents(submission, failed, stores):
    response = retry(submission.client, failed)
    assert response.status_code == 201
    again = response.json()
    assert response["Location"] == f"/api/v1/ticket/{again['id']}/"
    assert again["id"] != failed
    assert again["retry_of"] == failed
    assert again["step_name"] == "Queued"
    assert {name: again[name] for name in TOLD} == TOLD
    assert again["owner"] == "alice@example.com"
    assert submission.client.get(f"fullticket/{failed}/").json()["retry_of"] is None

    subtickets = submission.client.get(f"fullticket/{again['id']}/").json()["subtickets"]
    brought = [subticket["source_package_upload"] for subticket in subtickets]
    assert [(b["sourcepackage"], b["version"]) for b in brought] == [("hello", "2.10-4"), ("bye", "1-1")]
    contents = submission.files(Upload()) | submission.files(BYE)
    for artifact in (artifact for subticket in subtickets for artifact in subticket["artifacts"]):
        store, name = stores.locate(artifact["reference"])
        assert store.name == f"ticket.{again['id']}.sources"
        if not name.endswith(".changes"):  # those are signed anew at every call
            assert store.get_file(name) == contents[name]
    assert WorkRequest.objects.filter(key=f"ticket-{again['id']}").count() == 1


def test_a_second_retry_while_the_first_is_open_is_the_first(submission, failed):
    first = retry(submission.client, failed).json()
    response = retry(submission.client, failed)
    assert response.status_code == 200
    assert response.json()["id"] == first["id"]
    assert Ticket.objects.count() == 2
    assert WorkRequest.objects.count() == 2


def test_a_retry_that_failed_too_can_be_followed_by_another(submission, failed, service):
    first = retry(submission.client, failed).json()["id"]
    service.patch(f"updateticketstatus/{first}/", FAILED)
    of_first = retry(submission.client, first).json()
    of_ticket = retry(submission.client, failed).json()
    assert (of_first["retry_of"], of_ticket["retry_of"]) == (first, failed)


def test_a_retry_that_was_left_half_done_is_finished(submission, failed, stores):
    """As after an engine that was killed while it copied the files."""
    from ticket_system.domain.retries import _copy_of

    half, _ = _copy_of(Ticket.objects.get(pk=failed), stores)
    response = retry(submission.client, failed)
    assert (response.status_code, response.json()["id"]) == (200, half.pk)
    assert response.json()["step_name"] == "Queued"


def test_a_cancelled_ticket_can_be_repeated(submission, lander):
    ticket_id = submission.uploaded()
    submission.client.post(f"ticket/{ticket_id}/cancel/", {})
    assert retry(submission.client, ticket_id).status_code == 201


@pytest.mark.parametrize(
    ("end", "sentence"),
    [
        ({"current_workflow_step": "1000"}, "has landed"),
        ({"current_workflow_step": "300"}, "has not ended (it is at Image Building)"),
    ],
)
def test_only_what_ended_without_landing_is_repeated(submission, service, end, sentence):
    ticket_id = submission.queued()
    service.patch(f"updateticketstatus/{ticket_id}/", end)
    assert sentence in refusal(submission.client, ticket_id, 409)


def test_only_the_submitter_and_operators_repeat_a_ticket(failed, nobody, other_submitter, operator):
    refusal(nobody, failed, 401)
    assert "made with another token" in refusal(other_submitter, failed, 403)
    assert retry(operator, failed).status_code == 201
    assert {ticket.submitter for ticket in Ticket.objects.all()} == {"alice"}


def test_a_private_ticket_is_repeated_privately_and_not_there_for_others(
    submission, service, other_submitter, stores
):
    ticket_id = submission.queued(private=True)
    service.patch(f"updateticketstatus/{ticket_id}/", FAILED)
    assert refusal(other_submitter, ticket_id, 404) == f"there is no ticket {ticket_id}"
    again = retry(submission.client, ticket_id).json()
    assert again["private"] is True
    assert other_submitter.get(f"ticket/{again['id']}/").status_code == 404
    store = stores.container(f"ticket.{again['id']}.sources")
    assert not any(store.is_public(name) for name in store.list_files())


def test_a_version_that_was_published_meanwhile_is_refused(submission, failed, archives):
    archives.published["hello"] = "2.10-4"
    assert "hello 2.10-4 is not higher" in refusal(submission.client, failed, 400)


def test_a_key_that_is_trusted_no_longer_is_refused(submission, failed):
    TrustedUploader.objects.all().delete()
    assert "does not trust" in refusal(submission.client, failed, 400)


def test_files_that_were_changed_or_are_gone_are_refused(submission, failed):
    orig = SubTicketArtifact.objects.get(name="hello_2.10.orig.tar.gz")
    store, name = submission.stores.locate(orig.reference)
    store.put_file(name, b"the upstream sourceS")
    assert "does not match its SHA-256" in refusal(submission.client, failed, 400)
    store.delete_file(name)
    assert f"{name} is missing" in refusal(submission.client, failed, 400)
