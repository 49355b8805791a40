"""A server that goes away in the middle of every stage and comes back."""

from __future__ import annotations

import time
from contextlib import suppress
from functools import partial

import pytest
import requests

from tests.end_to_end.engine import until
from tests.faults.distributed.conftest import Faulty, landed_once
from tests.harness.services import SERVICES
from tests.source_packages import SourcePackage

pytestmark = [pytest.mark.slow, pytest.mark.server, pytest.mark.timeout(1800)]

ELSEWHERE = (4711, 4712)
AWAY_SECONDS = 2.0


@pytest.fixture
def held(faulty: Faulty):
    """All archives of the pool, reserved by tickets of nobody's; a call gives them back."""
    assigner = faulty.stack.client("ppa_assigner")
    until(lambda: faulty.pool() == ["free", "free"])
    ppas = [(assigner.post("ppa/", {"ticket_id": number})["id"], number) for number in ELSEWHERE]

    def give_back() -> None:
        while ppas:
            ppa, number = ppas.pop()
            assigner.patch(f"ppa/{ppa}/", {"state": "dirty", "ticket_id": number})

    yield give_back
    give_back()


@pytest.mark.parametrize("server", ["swift", "postgresql", "rabbitmq"])
def test_a_ticket_goes_on_when_a_server_comes_back_in_each_stage(faulty: Faulty, submit, held, server: str):
    package = SourcePackage(f"steady-{server}", "1.0")
    faulty.hold("build", "image", "test", "publish")
    ticket = submit(package)

    for stage in ("reserve", "build", "image", "test", "publish"):
        until(partial(faulty.runs, ticket, stage), 300)
        faulty.servers[server].stop()
        time.sleep(AWAY_SECONDS)
        faulty.servers[server].start()
        if stage == "reserve":
            until(lambda: faulty.runs(ticket, "reserve"))
            held()
        faulty.let_go(stage)

    landed_once(faulty, faulty.stack.wait_for_end(ticket), package)
    assert [_becomes_ready(faulty, service) for service in SERVICES] == [{"ready": True}] * len(SERVICES)


def test_a_ticket_that_is_sent_while_the_broker_is_away_lands(faulty: Faulty, submit):
    package = SourcePackage("unheard", "1.0")
    faulty.hold("build")
    faulty.servers["rabbitmq"].stop()
    try:
        ticket = submit(package)
        until(lambda: faulty.runs(ticket, "build"))
        said = requests.get(f"{faulty.stack.url('lander')}/api/v1/ready", timeout=60)
    finally:
        faulty.servers["rabbitmq"].start()

    assert (said.status_code, said.json()["error"]) == (
        503,
        "the message broker does not answer (UCI_BROKER)",
    )
    faulty.let_go()
    landed_once(faulty, faulty.stack.wait_for_end(ticket), package)


def test_a_ticket_whose_files_cannot_be_kept_fails_with_that_reason_and_gives_its_archive_back(
    faulty: Faulty, submit
):
    faulty.hold("build")
    ticket = submit(SourcePackage("homeless", "1.0"))
    until(lambda: faulty.work()["begin build homeless 1.0"] == 1)
    faulty.servers["swift"].stop()
    try:
        faulty.let_go()
        ended = faulty.stack.wait_for_end(ticket)
    finally:
        faulty.servers["swift"].start()

    assert (ended["status"], ended["failed_workflow_step"]) == ("999", "200"), ended["message"]
    assert "Swift" in ended["message"]
    assert faulty.stage_of(ticket)["image"] == "SKIPPED"


def test_while_the_database_is_away_services_say_so(faulty: Faulty):
    faulty.servers["postgresql"].stop()
    try:
        url = faulty.stack.url("lander")
        ready = requests.get(f"{url}/api/v1/ready", timeout=60)
        reading = requests.get(f"{url}/api/v1/job/", timeout=60)
    finally:
        faulty.servers["postgresql"].start()

    assert (ready.status_code, ready.json()["error"]) == (503, "the database does not answer (UCI_DATABASE)")
    assert reading.status_code == 503
    assert _becomes_ready(faulty, "lander") == {"ready": True}


@pytest.mark.sweep
def test_a_ticket_outlasts_a_broker_that_is_away_for_a_minute(faulty: Faulty, submit):
    package = SourcePackage("patient", "1.0")
    faulty.hold("build", "image")
    ticket = submit(package)
    until(lambda: faulty.runs(ticket, "build"))

    faulty.servers["rabbitmq"].stop()
    time.sleep(30)
    faulty.let_go("build")
    time.sleep(30)
    assert faulty.runs(ticket, "image"), "the ticket goes on without the broker"
    faulty.servers["rabbitmq"].start()
    faulty.let_go()

    landed_once(faulty, faulty.stack.wait_for_end(ticket), package)


def _becomes_ready(faulty: Faulty, service: str) -> object:
    """What a service says once it is ready, or at last."""
    url = f"{faulty.stack.url(service)}/api/v1/ready"
    with suppress(AssertionError):
        until(lambda: requests.get(url, timeout=60).ok)
    return requests.get(url, timeout=60).json()
