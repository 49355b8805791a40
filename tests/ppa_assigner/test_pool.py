from __future__ import annotations

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from ci_utils.archive.port import Build, BuildState
from ci_utils.errors import Conflict, NoFreeArchive, NotFound, Unavailable
from ppa_assigner.domain import cleaning, pool
from ppa_assigner.domain.status import status
from ppa_assigner.models import PPA

pytestmark = pytest.mark.django_db


def _states() -> list[str]:
    return list(PPA.objects.order_by("name").values_list("state", flat=True))


@pytest.fixture
def populated(archives):
    pool.populate(archives=archives)
    return archives


def test_populating_takes_over_what_the_owner_has_and_does_so_once(populated):
    pool.populate(archives=populated)
    assert list(PPA.objects.order_by("name").values_list("name", "state")) == [
        ("ppa:local/ci_pool-001", "free"),
        ("ppa:local/ci_pool-002", "free"),
    ]


def test_an_archive_with_something_in_it_is_cleaned_before_anybody_gets_it(archives):
    archives.records["ppa:local/ci_pool-001"] = [Build("1", "hello", "1", "amd64", BuildState.BUILT)]
    pool.populate(archives=archives)
    assert _states() == ["dirty", "free"]


def test_an_archive_that_cannot_be_looked_into_is_cleaned_first_and_the_others_come_in(archives, monkeypatch):
    def look(archive: str) -> bool:
        if archive.endswith("001"):
            raise Unavailable("not now")
        return True

    monkeypatch.setattr(archives, "is_clean", look)
    pool.populate(archives=archives)
    assert _states() == ["dirty", "free"]


def test_populating_leaves_the_states_of_known_archives_alone(populated):
    pool.reserve(ticket_id=1)
    populated.pool.append("ppa:local/ci_pool-003")
    pool.populate(archives=populated)
    assert _states() == ["reserved", "free", "free"]


def test_each_ticket_gets_an_archive_of_its_own_until_none_is_free(populated):
    names = [pool.reserve(ticket_id=ticket)[0].name for ticket in (1, 2)]
    assert names == ["ppa:local/ci_pool-001", "ppa:local/ci_pool-002"]
    with pytest.raises(NoFreeArchive, match="there is no free archive now"):
        pool.reserve(ticket_id=3)


def test_a_ticket_that_asks_again_gets_the_same_archive(populated):
    first, new = pool.reserve(ticket_id=1)
    again, new_again = pool.reserve(ticket_id=1)
    assert (first, new, new_again) == (again, True, False)


def test_the_same_request_at_the_same_moment_gets_the_same_archive_even_the_last(populated):
    pool.reserve(ticket_id=1)
    questions = []

    def other_asks_meanwhile(execute, sql, params, many, context):
        answer = execute(sql, params, many, context)
        questions.append(sql)
        if len(questions) == 1:
            pool.reserve(ticket_id=2)
        return answer

    with connection.execute_wrapper(other_asks_meanwhile):
        ours, new = pool.reserve(ticket_id=2)
    assert (ours.ticket_id, new) == (2, False)


def test_the_database_refuses_two_archives_for_one_ticket(populated):
    pool.reserve(ticket_id=1)
    with pytest.raises(IntegrityError), transaction.atomic():
        PPA.objects.create(name="x", state="reserved", ticket_id=1, changed_at=timezone.now())


def test_a_released_archive_is_dirty_and_releasing_it_again_does_nothing(populated):
    ppa, _ = pool.reserve(ticket_id=1)
    assert pool.release(ppa_id=ppa.pk).state == "dirty"
    assert pool.release(ppa_id=ppa.pk).state == "dirty"
    assert _states() == ["dirty", "free"]


def test_a_late_release_does_not_take_the_archive_of_the_next_ticket(populated):
    ppa, _ = pool.reserve(ticket_id=2)
    with pytest.raises(Conflict, match="reserved for ticket 2, not for ticket 1"):
        pool.release(ppa_id=ppa.pk, ticket_id=1)
    assert _states() == ["reserved", "free"]


def test_a_free_archive_and_an_unknown_one_cannot_be_released(populated):
    with pytest.raises(Conflict, match="is free"):
        pool.release(ppa_id=PPA.objects.get(name="ppa:local/ci_pool-001").pk)
    with pytest.raises(NotFound):
        pool.release(ppa_id=10**9)


def test_a_dirty_archive_is_cleaned_and_free_again(populated):
    ppa, _ = pool.reserve(ticket_id=1)
    pool.release(ppa_id=ppa.pk)
    cleaning.clean(archives=populated)
    assert _states() == ["cleaning", "free"]
    cleaning.clean(archives=populated)
    assert _states() == ["free", "free"]
    assert populated.cleaned == [ppa.name]


@pytest.mark.parametrize("error", [Conflict("not now"), PermissionError("no"), ValueError("surprise")])
def test_an_archive_whose_cleaning_fails_does_not_hold_up_the_others(populated, monkeypatch, error):
    for ticket in (1, 2):
        pool.release(ppa_id=pool.reserve(ticket_id=ticket)[0].pk)

    def refuse(archive: str) -> None:
        if archive.endswith("001"):
            raise error

    monkeypatch.setattr(populated, "request_cleaning", refuse)
    cleaning.clean(archives=populated)
    assert _states() == ["dirty", "free"]


def test_an_archive_that_another_worker_cleaned_meanwhile_is_left_to_its_ticket(populated, monkeypatch):
    for ticket in (1, 2):
        pool.release(ppa_id=pool.reserve(ticket_id=ticket)[0].pk)
    request = populated.request_cleaning

    def request_slowly(archive: str) -> None:
        request(archive)
        monkeypatch.setattr(populated, "request_cleaning", request)
        for _ in range(2):
            cleaning.clean(archives=populated)
        assert [pool.reserve(ticket_id=ticket)[1] for ticket in (3, 4)] == [True, True]

    monkeypatch.setattr(populated, "request_cleaning", request_slowly)
    cleaning.clean(archives=populated)
    assert populated.cleaned.count("ppa:local/ci_pool-002") == 1
    assert _states() == ["reserved", "reserved"]


def test_the_status_counts_states_and_names_the_holders(populated):
    pool.reserve(ticket_id=7)
    assert status() == {
        "archives": {"free": 1, "reserved": 1, "dirty": 0, "cleaning": 0},
        "reserved": [{"name": "ppa:local/ci_pool-001", "ticket_id": 7}],
    }
