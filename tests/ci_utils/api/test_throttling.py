"""Wrong tokens are slowed down, by address; right ones are not, and memory is bounded."""

from __future__ import annotations

import pytest
from django.test import Client

from ci_utils.api import throttling
from ci_utils.api.throttling import TRIES, FailedTries, network_of
from ci_utils.api.tokens import Principal, Scope, create_token, digest_of, revoke_token
from ci_utils.errors import TooManyRequests, Unauthenticated

ATTACKER, OTHER = "192.0.2.1", "198.51.100.7"


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def tries(clock: Clock) -> FailedTries:
    return FailedTries(clock)


def principal_of(token: str) -> Principal:
    if token != "right":
        raise Unauthenticated("not known")
    return Principal("alice", ("submit",))


def fail(tries: FailedTries, address: str, times: int = 1) -> None:
    for number in range(times):
        with pytest.raises(Unauthenticated):
            tries.slowed(address, f"wrong-{number}", principal_of)


def test_an_address_that_fails_too_often_has_to_wait(tries, clock):
    fail(tries, ATTACKER, TRIES)
    with pytest.raises(TooManyRequests) as refused:
        tries.slowed(ATTACKER, "wrong", principal_of)
    clock.now += refused.value.retry_after
    fail(tries, ATTACKER)
    with pytest.raises(TooManyRequests):
        tries.slowed(ATTACKER, "wrong", principal_of)


def test_while_it_waits_its_tries_are_not_even_looked_at(tries):
    fail(tries, ATTACKER, TRIES)
    with pytest.raises(TooManyRequests):
        tries.slowed(ATTACKER, "right", principal_of)


def test_other_addresses_do_not_wait(tries):
    fail(tries, ATTACKER, TRIES)
    assert tries.slowed(OTHER, "right", principal_of).name == "alice"
    fail(tries, OTHER)


def test_who_worked_before_works_on(tries):
    tries.slowed(OTHER, "right", principal_of)
    fail(tries, ATTACKER, TRIES)
    assert tries.slowed(ATTACKER, "right", principal_of).name == "alice"
    with pytest.raises(TooManyRequests):
        tries.slowed(ATTACKER, "wrong", principal_of)


def test_the_local_operator_is_never_locked_out(tries):
    tries.expect("right")
    fail(tries, ATTACKER, TRIES)
    assert tries.slowed(ATTACKER, "right", principal_of).name == "alice"


def test_a_token_that_is_void_meanwhile_is_a_try_like_any_other(tries):
    tries.slowed(ATTACKER, "right", principal_of)
    fail(tries, ATTACKER, TRIES)

    def revoked(_: str) -> Principal:
        raise Unauthenticated("not known")

    with pytest.raises(Unauthenticated):
        tries.slowed(ATTACKER, "right", revoked)
    with pytest.raises(TooManyRequests):
        tries.slowed(ATTACKER, "right", revoked)


def test_memory_is_bounded_and_failures_do_not_push_out_what_was_right(tries, monkeypatch):
    monkeypatch.setattr(throttling, "MAX_REMEMBERED", 50)
    tries.slowed(ATTACKER, "right", principal_of)
    for number in range(200):
        fail(tries, f"10.0.0.{number}")
    fail(tries, ATTACKER, TRIES)
    assert len(tries._recovered_at) <= 50
    assert tries.slowed(ATTACKER, "right", principal_of).name == "alice"
    for number in range(200):
        tries.slowed(OTHER, f"right-{number}", lambda token: Principal(token, ("submit",)))
    assert len(tries._right) <= 50


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("nonsense", ""),
    ],
)
def test_a_customers_whole_network_counts_as_one_address(address, network):
    assert network_of(address) == network


class TestThroughTheApi:
    """The same, as clients see it."""

    pytestmark = pytest.mark.django_db

    @staticmethod
    def ask(token: str, address: str = ATTACKER, path: str = "/api/v1/ticket/"):
        headers = {"authorization": f"Bearer {token}"}
        return Client(SERVER_NAME="localhost", REMOTE_ADDR=address, headers=headers).get(path)

    def test_too_many_wrong_tokens_are_answered_with_429_and_when_to_try_again(self):
        for _ in range(TRIES):
            assert self.ask("wrong").status_code == 401
        answer = self.ask("wrong")
        assert answer.status_code == 429
        assert 0 < int(answer["Retry-After"]) <= 60
        assert f"in {answer['Retry-After']} seconds" in answer.json()["error"]

    def test_files_count_as_well(self):
        for _ in range(TRIES):
            assert self.ask("wrong", path="/data/ticket.1/x").status_code == 401
        assert self.ask("wrong", path="/images/x.qcow2").status_code == 429

    def test_nobody_else_is_locked_out(self):
        from django.conf import settings

        alice = create_token("alice", [Scope.SUBMIT])
        assert self.ask(alice).status_code == 200
        for _ in range(TRIES + 1):
            self.ask("wrong")
        assert self.ask("wrong").status_code == 429
        assert self.ask(alice).status_code == 200
        assert self.ask(settings.UCI.service_token).status_code == 200
        assert self.ask(create_token("bob", [Scope.SUBMIT]), OTHER).status_code == 200
        anonymous = Client(SERVER_NAME="localhost", REMOTE_ADDR=ATTACKER)
        assert anonymous.get("/api/v1/ticket/").status_code == 200

    def test_a_revoked_token_is_refused_at_once(self):
        alice = create_token("alice", [Scope.SUBMIT])
        assert self.ask(alice).status_code == 200
        revoke_token("alice")
        assert self.ask(alice).status_code == 401

    def test_what_is_remembered_of_a_token_does_not_open_anything(self):
        alice = create_token("alice", [Scope.SUBMIT])
        assert self.ask(digest_of(alice)).status_code == 401
