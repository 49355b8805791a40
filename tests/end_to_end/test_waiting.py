"""Tickets that wait for an archive, and tickets that are cancelled."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ci_utils.clients.ppa_assigner import PPAAssignerClient
from tests.end_to_end.engine import Engine, until
from tests.source_packages import SourcePackage

pytestmark = [pytest.mark.slow, pytest.mark.system, pytest.mark.timeout(900)]

ELSEWHERE = 4711


@pytest.fixture
def assigner(engine: Engine) -> PPAAssignerClient:
    return PPAAssignerClient(engine.url, (engine.data_dir / "service-token").read_text().strip())


@pytest.fixture
def taken(assigner: PPAAssignerClient) -> Iterator[int]:
    """The only archive of the pool, reserved for another ticket."""
    until(lambda: assigner.list() and assigner.list()[0]["state"] == "free")
    archive = assigner.get_ppa(ELSEWHERE)["id"]
    yield archive
    if any(ppa["ticket_id"] == ELSEWHERE for ppa in assigner.list()):
        assigner.release(archive, ticket_id=ELSEWHERE)


@pytest.fixture
def submit(engine, uploader, tmp_path):
    def submit(package: SourcePackage) -> int:
        changes = package.upload(tmp_path, uploader)
        answer = engine.ubuntu_ci("-v", "1", "create_ticket", "-o", "me@example.com", "-s", changes)
        assert answer.returncode == 0, answer.stderr
        return int(answer.stdout.split()[0])

    return submit


def test_without_a_free_archive_a_ticket_waits_and_says_so(engine, assigner, taken, submit):
    ticket = submit(SourcePackage("patient", "1.0", build="false"))

    until(lambda: engine.client.ticket(ticket)["message"] == "waiting for a free archive")
    assert engine.client.ticket(ticket)["current_workflow_step"] == "100"
    assigner.release(taken, ticket_id=ELSEWHERE)

    assert engine.wait_for_end(ticket)["failed_workflow_step"] == "200"


def test_a_ticket_that_waits_is_cancelled_and_the_next_one_runs(engine, assigner, taken, submit):
    first = submit(SourcePackage("regretted", "1.0"))
    second = submit(SourcePackage("wanted", "1.0", build="false"))
    until(lambda: engine.client.ticket(first)["message"] == "waiting for a free archive")

    assert engine.ubuntu_ci("cancel", str(first)).returncode == 0
    ended = engine.wait_for_end(first, 150)
    assigner.release(taken, ticket_id=ELSEWHERE)

    assert (ended["current_workflow_step"], ended["status"]) == ("999", "998")
    assert engine.wait_for_end(second)["failed_workflow_step"] == "200"


def test_a_build_that_is_cancelled_stops_and_gives_the_archive_back(engine, assigner, submit):
    ticket = submit(SourcePackage("endless", "1.0", build="sleep 600"))
    until(lambda: "building endless" in engine.client.ticket(ticket)["message"])

    engine.client.cancel(ticket)

    assert engine.wait_for_end(ticket, 150)["status"] == "998"
    until(lambda: [ppa["state"] for ppa in assigner.list()] == ["free"])
