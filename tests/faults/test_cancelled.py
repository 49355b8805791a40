"""A ticket that is cancelled at every stage: it stops long before its work would, and the next one runs."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from ci_utils.errors import Conflict
from tests.end_to_end.engine import Engine, until
from tests.faults import leftovers
from tests.faults.conftest import mortal_engine
from tests.source_packages import SourcePackage

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.timeout(1800)]

#: Seconds that all work here takes if it is not stopped.
LASTS = 600
#: A good machine takes three; this is for one whose disk stalls, and still far from the end of the work.
STOPS_WITHIN = LASTS / 4


@pytest.fixture(scope="module")
def engine(parts, uploader) -> Iterator[Engine]:
    """One engine for all tests here."""
    with mortal_engine(parts, uploader) as engine:
        yield engine


def said(engine: Engine, ticket: int, message: str) -> None:
    """Wait until a ticket says this; one that has ended never will."""

    def says() -> bool:
        found = engine.client.ticket(ticket)
        assert not found["ended_at"], found["message"]
        return message in found["message"]

    until(says, 400)


def cancelled(engine: Engine, ticket: int) -> str:
    """Cancel a ticket; the step at which it was. It has `STOPS_WITHIN` seconds."""
    step = str(engine.client.ticket(ticket)["current_workflow_step"])
    engine.client.cancel(ticket)
    ended = engine.wait_for_end(ticket, STOPS_WITHIN)
    assert (ended["current_workflow_step"], ended["status"]) == ("999", "998")
    assert "cancelled" in ended["message"]
    return step


def nothing_runs(engine: Engine) -> None:
    """The pool is free, no program of the ended ticket runs, and no file of it is left."""
    until(lambda: [ppa["state"] for ppa in engine.client.get("ppa/")["objects"]] == ["free"])
    leftovers.none_soon(lambda: leftovers.programs(engine) + leftovers.files(engine))


def next_one_runs(engine: Engine, submit) -> None:
    last = next(engine.client.tickets(limit=1))["id"]
    package = SourcePackage(f"following{last}", "1.0", build="false")
    following = engine.wait_for_end(submit(package))
    assert following["failed_workflow_step"] == "200", following["message"]


def test_a_ticket_that_is_cancelled_while_it_is_queued_never_begins(engine, submit):
    first = submit(SourcePackage("first", "1.0", build=f"sleep {LASTS}"))
    second = submit(SourcePackage("second", "1.0"))
    said(engine, first, "building first")

    assert cancelled(engine, second) == "100"
    assert cancelled(engine, first) == "200"

    assert [s["workflow_step"] for s in engine.client.ticket(second)["history"]] == ["000", "100", "999"]
    nothing_runs(engine)
    next_one_runs(engine, submit)


def test_an_image_that_is_cancelled_stops_being_made(engine, submit):
    slow = SourcePackage("slow", "1.0", maintscripts={"postinst": f"#!/bin/sh\nsleep {LASTS}\n"})
    ticket = submit(slow, "-a", "slow")
    said(engine, ticket, "installing the packages in the image")
    time.sleep(4)  # into the script

    assert cancelled(engine, ticket) == "300"

    nothing_runs(engine)
    next_one_runs(engine, submit)


@pytest.mark.sweep
@pytest.mark.parametrize(("message", "seconds"), [("booting the image", 5), ("testing lasting", 3)])
def test_a_machine_that_is_cancelled_goes_away(engine, submit, message, seconds):
    # A version is seen once: each has a name of its own.
    package = SourcePackage(f"lasting{seconds}", "1.0", tests={"long": f"sleep {LASTS}"})
    ticket = submit(package, "-a", package.name)
    said(engine, ticket, message)
    time.sleep(seconds)

    assert cancelled(engine, ticket) == "400"

    nothing_runs(engine)
    next_one_runs(engine, submit)


@pytest.mark.sweep
def test_a_ticket_that_is_being_published_says_that_it_is_too_late(engine, submit):
    ticket = submit(SourcePackage("quick", "1.0"), "-a", "quick")
    refused = ""
    # Publishing takes a blink: cancel at its first sign.
    until(lambda: engine.client.ticket(ticket)["current_workflow_step"] in ("500", "1000"), 400)
    try:
        engine.client.cancel(ticket)
    except Conflict as error:
        refused = error.message

    assert "too late" in refused or "nothing to cancel" in refused
    assert engine.wait_for_end(ticket)["status"] == "1000"
    next_one_runs(engine, submit)
