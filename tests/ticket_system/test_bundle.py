"""Making a ticket with everything in one call."""

from __future__ import annotations

import pytest
from django.db import connection

from ci_utils.data_store.local import LocalDataStores
from ci_utils.errors import Unavailable
from ci_utils.hosting import ports
from tests.ci_utils.source_package.uploads import Upload
from tests.ticket_system.submission import Submission
from ticket_system.models import SourcePackage, SourcePackageUpload, SubTicket, Ticket

BYE = Upload(source="bye", version="1.0-1")


def nothing_is_made() -> bool:
    return not any(
        model.objects.exists() for model in (Ticket, SubTicket, SourcePackage, SourcePackageUpload)
    )


def refusal(response, status: int = 400) -> str:
    assert response.status_code == status, response.content
    assert nothing_is_made()
    return str(response.json()["error"])


def test_a_bundle_makes_ticket_subtickets_and_places_for_the_files(submission, nobody):
    response = submission.bundle(Upload(), BYE, add_packages=["hello"], remove_packages=["vim"])
    assert response.status_code == 201
    answer = response.json()
    assert response["Location"] == answer["resource_uri"] == f"/api/v1/ticket/{answer['id']}/"
    assert [(s["source"], s["version"]) for s in answer["sources"]] == [("hello", "2.10-4"), ("bye", "1.0-1")]
    assert set(answer["sources"][0]["uploads"]) == set(submission.files(Upload()))
    ticket = nobody.get(f"fullticket/{answer['id']}/").json()
    assert ticket["current_workflow_step"] == "000"
    assert (ticket["step_name"], ticket["status_name"]) == ("New", "Waiting")
    assert (ticket["add_packages"], ticket["remove_packages"]) == (["hello"], ["vim"])
    assert ticket["submitter"] == "alice"
    assert [s["id"] for s in ticket["subtickets"]] == [s["subticket"] for s in answer["sources"]]
    assert ticket["subtickets"][0]["assignee"] == "alice@example.com"
    assert {a["type"] for s in ticket["subtickets"] for a in s["artifacts"]} == {"SPU"}


def test_the_files_go_where_the_answer_says(submission, stores):
    ticket_id = submission.uploaded()
    store = stores.open(f"ticket.{ticket_id}", "sources")
    assert store.list_files() == sorted(submission.files(Upload()))
    assert store.is_public("hello_2.10-4.dsc")


def test_the_files_of_a_private_ticket_are_private(submission, stores):
    store = stores.open(f"ticket.{submission.uploaded(private=True)}", "sources")
    assert not store.is_public("hello_2.10-4.dsc")


def test_an_unsigned_changes_is_refused_by_name(submission):
    sources = [{"changes_name": Upload().changes_name, "changes": Upload().changes().decode()}]
    message = refusal(submission.bundle(sources=sources))
    assert (
        message
        == "hello_2.10-4_source.changes is not signed; sign it with: debsign hello_2.10-4_source.changes"
    )


def test_a_changes_signed_by_a_stranger_is_refused(submitter, trusted, mallory, stores):
    message = refusal(Submission(submitter, mallory, stores).bundle())
    assert "hello_2.10-4_source.changes is signed by the key" in message
    assert "does not trust" in message


def test_a_text_that_is_no_changes_is_refused(submission, trusted):
    sources = [{"changes_name": "x.changes", "changes": trusted.clearsign(b"hello world\n").decode()}]
    assert "x.changes" in refusal(submission.bundle(sources=sources))


def test_a_file_name_that_leaves_its_folder_is_refused(submission):
    upload = Upload(files={"../hello_1.tar.gz": b"x"})
    assert "'../hello_1.tar.gz', which is not a plain file name" in refusal(submission.bundle(upload))


def test_one_wrong_source_of_two_makes_nothing(submission):
    assert "bye" in refusal(submission.bundle(Upload(), Upload(source="bye", fields={"Files": ""})))


def test_a_source_that_comes_twice_is_refused(submission):
    message = refusal(submission.bundle(Upload(), Upload(version="2.10-5")))
    assert message == "the ticket has the source package hello twice; keep one upload of it"


@pytest.mark.parametrize("published", ["2.10-4", "2.10-5", "1:0.1"])
def test_a_version_that_is_not_higher_than_the_published_one_is_refused(submission, archives, published):
    archives.published["hello"] = published
    message = refusal(submission.bundle())
    assert message.startswith(f"hello 2.10-4 is not higher than the published version {published}")


def test_a_higher_version_than_the_published_one_is_accepted(submission, archives):
    archives.published["hello"] = "2.10-4~rc1"
    assert submission.bundle().status_code == 201


def test_an_unknown_package_to_add_is_refused_by_name(submission):
    message = refusal(submission.bundle(dsc=True, add_packages=["hello", "no-such-package"]))
    assert message.startswith("add_packages: no binary package is named no-such-package")


def test_a_package_that_the_ticket_builds_itself_can_be_added(submission):
    upload = Upload(dsc_fields={"Binary": "hello, hello-new"})
    assert submission.bundle(upload, dsc=True, add_packages=["hello-new"]).status_code == 201


def test_a_dsc_that_the_changes_does_not_vouch_for_is_refused(submission):
    source = submission.source(Upload(), dsc=True)
    message = refusal(submission.bundle(sources=[source | {"dsc": source["dsc"] + "X: y\n"}]))
    assert message.startswith("hello_2.10-4.dsc does not match its SHA-256 checksum")


def test_a_package_to_add_and_to_remove_is_refused(submission):
    assert "vim is also in add_packages" in refusal(
        submission.bundle(add_packages=["vim"], remove_packages=["vim"])
    )


def test_another_series_is_refused(submission):
    assert "series: this engine builds for" in refusal(submission.bundle(series="trusty"))


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"owner": "nobody"}, "owner"),
        ({"owner": 1}, "owner"),
        ({"title": ""}, "title"),
        ({"title": " "}, "title"),
        ({"title": "two\nlines"}, "title"),
        ({"add_packages": "hello"}, "add_packages"),
        ({"add_packages": ["hello\n"]}, "add_packages"),
        ({"add_packages": ["hello world"]}, "add_packages"),
        ({"private": "yes"}, "private"),
        ({"sources": []}, "sources"),
        ({"sources": [{"changes_name": "../x.changes", "changes": ""}]}, "sources.0"),
        ({"ticket": 1}, "ticket"),
        ({"description": "\x00"}, "NUL"),
        ({"description": "\ud800"}, "JSON"),
    ],
)
def test_a_wrong_field_is_named(submission, fields, named):
    assert named in refusal(submission.bundle(**fields))


def test_a_bundle_needs_a_token(nobody, service):
    assert "needs a token" in refusal(nobody.post("bundle/", {}), 401)
    assert "needs submit" in refusal(service.post("bundle/", {}), 403)


def test_a_body_that_is_too_large_is_refused(submitter):
    assert "larger than" in refusal(submitter.raw("POST", "bundle/", b" " * (4 << 20) + b"x"))


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"1", b'"\\u0000"', b"\xff", b"NaN", b"[" * 100_000])
def test_a_malformed_body_is_refused(submitter, body):
    assert refusal(submitter.raw("POST", "bundle/", body))


class StoresThatAreAway(LocalDataStores):
    """Nothing of them answers; `held` says whether a transaction was open when they were asked."""

    held = False

    def check(self) -> None:
        type(self).held = connection.in_atomic_block
        raise Unavailable("Swift of ST_AUTH does not answer")

    def open(self, component, identifier=None, *, public=False):
        raise AssertionError("nothing more is asked")


@pytest.mark.django_db(transaction=True)
def test_a_data_store_that_is_away_is_noticed_before_the_database_is_held(submission, monkeypatch, tmp_path):
    monkeypatch.setattr(ports, "data_stores", lambda: StoresThatAreAway(tmp_path, "http://localhost", b"key"))
    response = submission.bundle()
    assert refusal(response, 503) == "Swift of ST_AUTH does not answer"
    assert not StoresThatAreAway.held
