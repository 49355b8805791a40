"""A base image in the data store: only a file that the submitter may read, and no word of any other."""

from __future__ import annotations

import pytest

from tests.ticket_system.submission import TICKET
from ticket_system.models import Ticket

NOT_YOURS = "base_image: there is no file that you may read at this URL"


@pytest.fixture
def file_of(stores, submission):
    """Puts an image beside what a ticket of alice has; its URL."""

    def file_of(*, private: bool) -> str:
        ticket = submission.bundle(private=private).json()["id"]
        store = stores.open(f"ticket.{ticket}", "test-runner", public=not private)
        return str(store.put_file("cloud.img", b"QFI"))

    return file_of


def answer(client, base_image: str) -> tuple[int, str]:
    response = client.post("ticket/", {**TICKET, "base_image": base_image})
    return response.status_code, response.json().get("error", "")


def test_a_file_of_a_public_ticket_is_a_base_image_for_everybody(file_of, submitter, other_submitter):
    url = file_of(private=False)
    assert [answer(client, url)[0] for client in (submitter, other_submitter)] == [201, 201]


def test_a_file_of_a_private_ticket_is_one_for_its_submitter_and_operators(file_of, submitter, operator):
    url = file_of(private=True)
    assert [answer(client, url)[0] for client in (submitter, operator)] == [201, 201]


def test_what_is_not_yours_and_what_is_not_there_are_answered_the_same(file_of, other_submitter):
    there = file_of(private=True)
    container = there.rpartition("/")[0]
    answers = {
        answer(other_submitter, there),
        answer(other_submitter, f"{container}/absent.img"),
        answer(other_submitter, there.replace("/ticket.1", "/ticket.999")),
        answer(other_submitter, there.replace("test-runner", "nothing")),
    }
    assert answers == {(400, NOT_YOURS)}
    assert Ticket.objects.filter(submitter="bob").count() == 0


def test_a_file_that_is_no_tickets_is_for_operators_only(stores, submitter, operator):
    url = stores.open("elsewhere", public=True).put_file("cloud.img", b"QFI")
    assert answer(submitter, url) == (400, NOT_YOURS)
    assert answer(operator, url)[0] == 201


def test_a_file_of_a_bundle_is_asked_for_too(file_of, other_submitter, submission):
    draft = submission.draft(base_image=file_of(private=True))
    response = other_submitter.post("bundle/", draft)
    assert (response.status_code, response.json()["error"]) == (400, NOT_YOURS)


@pytest.mark.parametrize("url", ["http://169.254.169.254/latest", "/etc/passwd", "../x"])
def test_an_address_elsewhere_is_refused_by_name(submitter, url):
    status, message = answer(submitter, url)
    assert status == 400
    assert message.startswith("base_image: ")


def test_a_name_is_left_to_the_image_builder(submitter):
    assert answer(submitter, "debian-12")[0] == 201
