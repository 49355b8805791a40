"""A bundle that is sent again under the key of the first time: one ticket, whatever got lost on the way."""

from __future__ import annotations

import pytest

from tests.ci_utils.source_package.uploads import Upload
from tests.ticket_system.submission import Submission
from ticket_system.models import SubTicket, Ticket

BYE = Upload(source="bye", version="1.0-1")


@pytest.fixture
def post(submission):
    """POST a bundle under a key."""

    def post(body, key="0b9d1a52", client=submission.client):
        return client.post("bundle/", body, **{"Idempotency-Key": key})

    return post


def test_the_same_request_again_is_answered_with_the_ticket_that_it_made(submission, post):
    body = submission.draft(Upload(), BYE)
    first, again = post(body), post(dict(reversed(body.items())))

    assert (first.status_code, again.status_code) == (201, 200)
    assert again["Location"] == first["Location"]
    assert [(s["source"], s["version"], s["subticket"]) for s in again.json()["sources"]] == [
        (s["source"], s["version"], s["subticket"]) for s in first.json()["sources"]
    ]
    assert (Ticket.objects.count(), SubTicket.objects.count()) == (1, 2)


def test_the_new_urls_take_the_files_also_those_that_came_before(submission, post):
    body, contents = submission.draft(), submission.files(Upload())
    for name, url in post(body).json()["sources"][0]["uploads"].items():
        if not name.endswith(".changes"):
            submission.put(url, contents[name])

    again = post(body).json()

    assert set(again["sources"][0]["uploads"]) == set(contents)
    submission.send(again)
    assert submission.queue(again["id"]).status_code == 200


def test_a_ticket_that_was_queued_takes_no_files_and_is_answered_all_the_same(submission, post, archives):
    body = submission.draft()
    made = post(body).json()
    submission.send(made)
    assert submission.queue(made["id"]).status_code == 200
    archives.published["hello"] = "2.10-4"  # it was landed meanwhile; that does not make it wrong

    again = post(body)

    assert (again.status_code, again.json()["id"]) == (200, made["id"])
    assert [source["uploads"] for source in again.json()["sources"]] == [{}]


def test_a_key_stands_for_one_request(submission, post):
    made = post(submission.draft()).json()

    other = post(submission.draft(title="Another title"))

    assert other.status_code == 409
    assert other.json()["error"] == (
        f"Idempotency-Key: 0b9d1a52 stands for another request, which made ticket {made['id']}; "
        "choose a new key for a new request"
    )
    assert Ticket.objects.count() == 1


def test_another_key_and_no_key_make_another_ticket(submission, post):
    tickets = {
        post(submission.draft()).json()["id"],
        post(submission.draft(), key="1c").json()["id"],
        submission.bundle().json()["id"],
        submission.bundle().json()["id"],
    }
    assert len(tickets) == 4


def test_the_key_of_one_submitter_says_nothing_to_another(submission, post, other_submitter, trusted, stores):
    made = post(submission.draft(private=True)).json()

    others = Submission(other_submitter, trusted, stores)
    answer = post(others.draft(title="Something else"), client=other_submitter)

    assert answer.status_code == 201
    assert answer.json()["id"] != made["id"]


def test_a_request_that_was_refused_may_be_mended_under_its_key(submission, post):
    assert post(submission.draft(series="trusty")).status_code == 400
    assert post(submission.draft()).status_code == 201


@pytest.mark.parametrize("key", ["", " ", "two words", "x" * 256, "ä"])
def test_a_key_that_is_none_is_refused(submission, post, key):
    answer = post(submission.draft(), key=key)
    assert answer.status_code == 400
    assert "Idempotency-Key" in answer.json()["error"]
    assert Ticket.objects.count() == 0


def test_the_key_is_shown_to_nobody(submission, post, operator):
    ticket = post(submission.draft()).json()["id"]
    for path in (f"ticket/{ticket}/", f"fullticket/{ticket}/", "ticketstatus/"):
        assert "0b9d1a52" not in operator.get(path).content.decode()


def test_the_description_names_the_header(nobody):
    described = nobody.get("openapi.json").json()["paths"]["/api/v1/bundle/"]["post"]
    assert [(p["name"], p["in"]) for p in described["parameters"]] == [("Idempotency-Key", "header")]
    assert {"200", "201", "409"} <= set(described["responses"])
