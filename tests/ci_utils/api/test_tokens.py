from __future__ import annotations

from datetime import timedelta

import pytest
from django.conf import settings
from django.utils import timezone

from ci_utils.api.models import ApiToken
from ci_utils.api.tokens import (
    NOBODY,
    Principal,
    Scope,
    create_token,
    keep_token,
    principal_of,
    revoke_token,
)
from ci_utils.errors import Conflict, Forbidden, NotFound, Unauthenticated

pytestmark = pytest.mark.django_db


def test_a_token_stands_for_its_name_and_scopes() -> None:
    principal = principal_of(create_token("alice", [Scope.SUBMIT]))
    assert (principal.name, list(principal.scopes)) == ("alice", ["submit"])


def test_the_database_holds_no_token() -> None:
    token = create_token("alice", [Scope.SUBMIT])
    row = ApiToken.objects.get()
    assert token not in {str(value) for value in vars(row).values()}


def test_a_name_has_one_token() -> None:
    create_token("alice", [Scope.SUBMIT])
    with pytest.raises(Conflict, match="alice"):
        create_token("alice", [Scope.OPERATE])
    assert ApiToken.objects.get().scopes == ["submit"]


def test_a_kept_token_replaces_the_one_before() -> None:
    keep_token("local", "first", [Scope.OPERATE])
    keep_token("local", "second", [Scope.OPERATE])
    assert principal_of("second").name == "local"
    with pytest.raises(Unauthenticated):
        principal_of("first")


def test_the_services_know_each_other_by_their_own_token() -> None:
    principal = principal_of(settings.UCI.service_token)
    assert principal == Principal("service", (Scope.SERVICE,))


@pytest.mark.parametrize("token", ["", "nonsense", "ü", "x" * 5000])
def test_an_unknown_token_is_nobody(token: str) -> None:
    with pytest.raises(Unauthenticated, match="uci-engine token create"):
        principal_of(token)


def test_operators_may_submit() -> None:
    assert Principal("ops", (Scope.OPERATE,)).has(Scope.SUBMIT)


@pytest.mark.parametrize("scope", [Scope.OPERATE, Scope.SERVICE])
def test_submitters_may_submit_only(scope: Scope) -> None:
    with pytest.raises(Forbidden, match=f"'alice'.*{scope}"):
        Principal("alice", (Scope.SUBMIT,)).require(scope)


def test_nobody_is_asked_for_a_token() -> None:
    with pytest.raises(Unauthenticated, match="Authorization: Bearer TOKEN"):
        NOBODY.require(Scope.SUBMIT)


def test_a_revoked_token_is_unknown_and_its_name_is_free_again() -> None:
    token = create_token("alice", [Scope.SUBMIT])
    revoke_token("alice")
    with pytest.raises(Unauthenticated):
        principal_of(token)
    assert principal_of(create_token("alice", [Scope.READ])).name == "alice"


def test_only_what_is_there_is_revoked() -> None:
    with pytest.raises(NotFound, match=r"'alice'.*uci-engine token list"):
        revoke_token("alice")


def test_a_token_ends_when_its_time_is_over() -> None:
    token = create_token("alice", [Scope.SUBMIT], lifetime=timedelta(days=1))
    assert principal_of(token).name == "alice"
    ApiToken.objects.update(expires_at=timezone.now())
    with pytest.raises(Unauthenticated, match="has expired"):
        principal_of(token)


def test_an_expired_token_makes_way_for_the_next_of_its_name() -> None:
    create_token("alice", [Scope.SUBMIT], lifetime=timedelta(0, 1))
    ApiToken.objects.update(expires_at=timezone.now())
    assert principal_of(create_token("alice", [Scope.OPERATE])).scopes == ["operate"]


def test_readers_may_write_nothing() -> None:
    reader = principal_of(create_token("alice", [Scope.READ]))
    reader.require(Scope.READ)
    for scope in (Scope.SUBMIT, Scope.OPERATE, Scope.SERVICE):
        with pytest.raises(Forbidden):
            reader.require(scope)
