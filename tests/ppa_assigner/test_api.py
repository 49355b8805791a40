from __future__ import annotations

import pytest

from ci_utils.errors import ConfigurationError
from ppa_assigner.domain import pool
from ppa_assigner.models import PPA

pytestmark = pytest.mark.django_db


@pytest.fixture
def populated(archives, service):
    assert service.patch("ppa/", {"populate": True}).status_code == 200
    return archives


def test_anybody_may_list_the_archives_and_their_states(populated, nobody):
    listed = nobody.get("ppa/").json()["objects"]
    assert [(ppa["name"], ppa["state"], ppa["ticket_id"]) for ppa in listed] == [
        ("ppa:local/ci_pool-001", "free", None),
        ("ppa:local/ci_pool-002", "free", None),
    ]
    assert nobody.get(f"ppa/{listed[0]['id']}/").json() == listed[0]


def test_get_ppa_reserves_and_release_gives_back(populated, service):
    answer = service.post("ppa/", {"ticket_id": 3})
    ppa = answer.json()
    assert (answer.status_code, ppa["state"], ppa["ticket_id"]) == (201, "reserved", 3)
    assert service.post("ppa/", {"ticket_id": "3"}).json() == ppa
    released = service.patch(f"ppa/{ppa['id']}/", {"state": "dirty", "ticket_id": 3})
    assert (released.status_code, released.json()["state"], released.json()["ticket_id"]) == (
        200,
        "dirty",
        None,
    )


def test_without_a_free_archive_the_answer_is_404_and_says_why(populated, service):
    for ticket in (1, 2):
        service.post("ppa/", {"ticket_id": ticket})
    answer = service.post("ppa/", {"ticket_id": 3})
    assert answer.status_code == 404
    assert answer.json() == {"error": "there is no free archive now; one becomes free when a ticket ends"}


def test_archives_can_be_found_by_state_and_by_ticket(populated, service, nobody):
    pool.reserve(ticket_id=5)
    for query, found in (({"state": "free"}, 1), ({"ticket_id": 5}, 1), ({"ticket_id": 6}, 0)):
        assert len(service.get("ppa/", **query).json()["objects"]) == found
    for name in ("ticket_id", "ticket_id__exact"):
        assert nobody.get("ppa/", **{name: 5}).status_code == 401


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"ticket_id": 0},
        {"ticket_id": -1},
        {"ticket_id": "x"},
        {"ticket_id": 2**70},
        {"ticket_id": 1.5},
        [],
    ],
)
def test_a_malformed_request_is_refused_and_changes_nothing(populated, service, body):
    assert service.post("ppa/", body).status_code == 400
    assert not PPA.objects.filter(state="reserved").exists()


@pytest.mark.parametrize("body", [{}, {"state": "free"}, {"state": "dirty", "name": "x"}, {"state": None}])
def test_only_dirty_can_be_set(populated, service, body):
    ppa = service.post("ppa/", {"ticket_id": 3}).json()
    assert service.patch(f"ppa/{ppa['id']}/", body).status_code == 400
    assert PPA.objects.get(pk=ppa["id"]).state == "reserved"


def test_unknown_archives_are_not_found(populated, service):
    for path in ("ppa/1000000000/", f"ppa/{2**80}/", "ppa/x/"):
        assert service.get(path).status_code == 404
        assert service.patch(path, {"state": "dirty"}).status_code == 404


def test_writes_need_the_token_of_a_service_or_an_operator(populated, nobody, submitter, operator):
    assert nobody.post("ppa/", {"ticket_id": 1}).status_code == 401
    assert submitter.post("ppa/", {"ticket_id": 1}).status_code == 403
    assert submitter.patch("ppa/", {"populate": True}).status_code == 403
    assert operator.post("ppa/", {"ticket_id": 1}).status_code == 201


def test_a_list_takes_the_same_number_of_queries_however_long_it_is(
    populated, nobody, django_assert_num_queries
):
    for length in (2, 3):
        with django_assert_num_queries(2):
            assert len(nobody.get("ppa/").json()["objects"]) == length
        populated.pool.append("ppa:local/ci_pool-003")
        pool.populate(archives=populated)


def test_what_only_an_operator_can_mend_is_answered_and_logged_with_its_place(
    archives, service, monkeypatch, caplog
):
    def refused():
        raise ConfigurationError("CI_LAUNCHPAD_USER: Launchpad knows no such user")

    monkeypatch.setattr(archives, "list_pool", refused)
    answer = service.patch("ppa/", {"populate": True})
    assert (answer.status_code, answer.json()["error"][:18]) == (500, "CI_LAUNCHPAD_USER:")
    assert "/api/v1/ppa/" in caplog.text
    assert "in refused" in caplog.text
