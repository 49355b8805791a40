from __future__ import annotations

from typing import Any

import pytest

from ci_utils.errors import CIError, Unauthenticated
from lander.domain import reporting
from lander.domain.reporting import TicketReporter
from tests.lander.fakes import TicketSystem

#: What services answer until an operator has mended something.
MENDED_LATER = [
    Unauthenticated("the token is not known"),
    CIError("the ticket system met an unexpected error"),
]


@pytest.fixture
def system() -> TicketSystem:
    return TicketSystem()


@pytest.fixture
def reporter(system: TicketSystem, monkeypatch: pytest.MonkeyPatch) -> TicketReporter:
    monkeypatch.setattr(reporting, "QUIET_SECONDS", 3600)
    return TicketReporter(system, 12, pause=lambda seconds: None)


def _messages(system: TicketSystem) -> list[Any]:
    return [(report["current_workflow_step"], report["message"]) for report in system.reports]


def test_quick_messages_become_one_and_a_new_step_is_told_at_once(reporter, system, monkeypatch):
    for message in ("accepted", "waiting", "building"):
        reporter.progress("200", "100", message)
    reporter.progress("300", "100", "building the image")
    reporter.progress("300", "100", "installing")
    assert _messages(system) == [("200", "accepted"), ("300", "building the image")]
    monkeypatch.setattr(reporting, "QUIET_SECONDS", 0)
    reporter.flush()
    reporter.flush()
    assert _messages(system)[2:] == [("300", "installing")]


def test_a_message_that_did_not_arrive_is_sent_again(reporter, system, monkeypatch):
    monkeypatch.setattr(reporting, "QUIET_SECONDS", 0)
    system.away = 2
    reporter.progress("200", "100", "building")
    reporter.flush()
    reporter.flush()
    assert _messages(system) == [("200", "building")]


def test_a_message_that_waits_does_not_follow_the_end(reporter, system, monkeypatch):
    reporter.progress("200", "100", "accepted")
    reporter.progress("200", "100", "building")
    reporter.end(current_workflow_step="999", status="999", message="it failed")
    monkeypatch.setattr(reporting, "QUIET_SECONDS", 0)
    reporter.flush()
    assert _messages(system) == [("200", "accepted"), ("999", "it failed")]


def test_the_end_is_told_until_it_arrives_or_is_refused(reporter, system):
    system.away = 3
    reporter.end(current_workflow_step="1000", status="1000", message="")
    assert _messages(system) == [("1000", "")]
    system.ended = True
    reporter.end(current_workflow_step="999", status="999", message="")
    assert len(system.reports) == 1


@pytest.mark.parametrize("error", MENDED_LATER)
def test_the_end_waits_for_what_an_operator_mends(reporter, system, monkeypatch, error):
    take = system.set_status
    errors = iter([error, error])

    def set_status(ticket_id: int, **fields: Any) -> None:
        for each in errors:
            raise each
        take(ticket_id, **fields)

    monkeypatch.setattr(system, "set_status", set_status)
    reporter.end(current_workflow_step="1000", status="1000", message="")
    assert _messages(system) == [("1000", "")]
