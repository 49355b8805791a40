"""An engine that is killed at every change of state, and in the middle of every stage."""

from __future__ import annotations

import json
import signal
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import requests

from ci_utils.errors import CIError
from tests.end_to_end.engine import VENV_BIN, Engine, turns, until
from tests.faults import dying, leftovers
from tests.source_packages import SourcePackage

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.timeout(3600)]

ENDED = ("999", "1000")


class Sweep:
    """Lives of one engine; each ends at a change of state at which none ended before."""

    def __init__(self, engine: Engine, record: Path) -> None:
        self.engine = engine
        self.record = record
        record.touch()
        engine.program = (sys.executable, dying.__file__, record)

    @property
    def deaths(self) -> list[str]:
        return self.record.read_text().splitlines()

    def live(self) -> None:
        """Start the engine; it may die before it serves."""
        died = len(self.deaths)
        try:
            self.engine.start()
        except AssertionError:
            if len(self.deaths) == died:
                raise

    def until(self, done, seconds: float) -> None:
        """Start it again whenever it died, until `done()`."""
        for _ in turns(seconds, pause=0.1):
            if self._holds(done):
                return
            self.again_if_dead()
        raise AssertionError(self.deaths)

    def again_if_dead(self) -> None:
        process = self.engine.process
        if process is not None and process.poll() is not None:
            assert process.returncode == -signal.SIGKILL
            leftovers.nothing_left(self.engine)
            self.live()

    def _holds(self, done) -> bool:
        try:
            return bool(done())
        except CIError:
            return False  # it has died meanwhile

    def end(self) -> None:
        """End it as it should be ended."""
        self.engine.program = (VENV_BIN / "uci-engine",)
        self.engine.stop()
        self.engine.start()


@pytest.fixture
def sweep(engine: Engine, tmp_path: Path) -> Sweep:
    until(lambda: pool(engine) == ["free"])
    return Sweep(engine, tmp_path / "deaths")


def pool(engine: Engine) -> list[str]:
    return [ppa["state"] for ppa in engine.client.get("ppa/")["objects"]]


def stages(engine: Engine, ticket: int) -> dict[str, str]:
    jobs = engine.client.get("job/", ticket_id=ticket)["objects"]
    assert len(jobs) <= 1
    return {stage["stage"]: stage["state"] for job in jobs for stage in job["stages"]}


def steps(ticket: dict[str, Any]) -> list[tuple[str, str]]:
    return [(change["workflow_step"], change["status"]) for change in ticket["history"]]


def landed(sweep: Sweep, ticket: int, seconds: float) -> dict[str, Any]:
    """Queue a ticket under an engine that dies at every change, and see it to its end."""
    engine = sweep.engine
    engine.stop()
    sweep.live()

    def queued() -> bool:
        engine.client.queue(ticket)  # as a user repeats what was not answered
        return True

    sweep.until(queued, 60)
    sweep.until(lambda: engine.client.ticket(ticket)["current_workflow_step"] in ENDED, seconds)
    sweep.until(lambda: pool(engine) == ["free"], 60)
    sweep.end()
    return engine.client.ticket(ticket)


def left_once(ticket: dict[str, Any]) -> None:
    """Every file is attached once, and every change of the ticket's state was made once."""
    attached = [*ticket["artifacts"], *(a for s in ticket["subtickets"] for a in s["artifacts"])]
    assert [name for name, n in Counter(a["reference"] for a in attached).items() if n > 1] == []
    assert [step for step, n in Counter(steps(ticket)).items() if n > 1] == []


def nothing_left(engine: Engine) -> None:
    """No temporary file under a resting engine, no process after it."""
    leftovers.none_soon(lambda: leftovers.files(engine))
    engine.stop()
    # The agent of the archives' key is told to end, and does so when it has read that.
    leftovers.none_soon(lambda: leftovers.processes(engine) + leftovers.mounts(engine))


STAGES = ("reserve", "build", "image", "test", "publish", "release")
#: Changes at which an engine must have died, beside those of the stages and of the ticket's steps.
CHANGES = {
    "insert work_queue_workrequest ticket_system QUEUED",
    "insert work_queue_workrequest lander QUEUED",
    "insert lander_masterjob QUEUED",
    "update lander_masterjob RUNNING",
    "update ppa_assigner_ppa 1 reserved",
    "update build Currently building",
    "update build Uploading build",
    "update build Successfully built",
    "insert work_queue_workrequest image_builder QUEUED",
    "update ppa_assigner_ppa 1 dirty",
    "update ppa_assigner_ppa 1 cleaning",
    "update ppa_assigner_ppa 1 free",
}


def died_everywhere(deaths: list[str], ticket: dict[str, Any], states: dict[str, str]) -> None:
    """The sweep left out no change of state of the ticket, of a stage, or of the work for it."""
    expected = {f"insert lander_childjob {stage} QUEUED" for stage in STAGES}
    for number, stage in enumerate(STAGES, 1):
        begun = set() if states[stage] == "SKIPPED" else {f"update lander_childjob {number} RUNNING"}
        expected |= begun | {f"update lander_childjob {number} {states[stage]}"}
    at_steps = [death.removeprefix("insert ticket_system_transition ") for death in deaths]
    assert expected | CHANGES <= set(deaths)
    assert {step for step, _ in steps(ticket)} - {"000"} <= {death.split()[0] for death in at_steps}


def test_killed_at_every_change_of_state_of_a_ticket_that_fails_in_its_image(sweep, submit):
    engine = sweep.engine
    ticket = submit(SourcePackage("needy", "1.0", depends="no-such-package"), "-a", "needy", "--wait")

    ended = landed(sweep, ticket, 600)

    assert (ended["status"], ended["failed_workflow_step"]) == ("999", "300"), ended["message"]
    states = stages(engine, ticket)
    assert states == {
        "reserve": "SUCCESS",
        "build": "SUCCESS",
        "image": "FAILURE",
        "test": "SKIPPED",
        "publish": "SKIPPED",
        "release": "SUCCESS",
    }
    died_everywhere(sweep.deaths, ended, states)
    left_once(ended)
    nothing_left(engine)


@pytest.mark.sweep
def test_killed_at_every_change_of_state_of_a_ticket_that_is_published(sweep, submit):
    engine = sweep.engine
    package = SourcePackage("steady", "1.0", tests={"smoke": "steady"})
    ticket = submit(package, "-a", "steady", "--wait")

    ended = landed(sweep, ticket, 1500)

    assert ended["status"] == "1000", ended["message"]
    states = stages(engine, ticket)
    assert set(states.values()) == {"SUCCESS"}
    died_everywhere(sweep.deaths, ended, states)
    left_once(ended)
    assert published(engine, ended["series"]) == ["steady"]
    assert [image["name"] for image in images(engine, ticket)] == [f"ticket.{ticket}"]
    nothing_left(engine)


def published(engine: Engine, series: str) -> list[str]:
    """Names of the source packages in the destination."""
    url = f"{engine.url}/archives/local/archive/dists/{series}/main/source/Sources"
    text = requests.get(url, timeout=60).text
    return [line.split()[1] for line in text.splitlines() if line.startswith("Package:")]


def images(engine: Engine, ticket: int) -> list[dict[str, Any]]:
    """What the image store has of a ticket."""
    found = (json.loads(path.read_text()) for path in engine.data_dir.glob("images/*/image.json"))
    return [record["image"] for record in found if record["image"]["name"] == f"ticket.{ticket}"]


def log_of(engine: Engine, ticket: int) -> str:
    """Why a ticket failed."""
    url = engine.wait_for_end(ticket, 60)["log_url"]
    return requests.get(url, timeout=60).text[-3000:] if url else ""


def killed_in(engine: Engine, ticket: int, stage: str, seconds: float) -> None:
    """Kill the engine some seconds into a run of a stage, look what it left, start it again."""
    until(lambda: stages(engine, ticket).get(stage) in ("RUNNING", "SUCCESS", "FAILURE"), 240)
    time.sleep(seconds)
    assert stages(engine, ticket)[stage] == "RUNNING", log_of(engine, ticket)
    process = engine.process
    engine.stop(signal.SIGKILL)
    engine.process = process
    leftovers.nothing_left(engine)
    engine.start()


#: A package that takes its time to be installed, and then cannot.
SULKY = {"postinst": "#!/bin/sh\nsleep 5\nexit 1\n"}


@pytest.mark.sweep
def test_killed_in_the_middle_of_building_and_imaging(engine, submit):
    ticket = submit(SourcePackage("sulky", "1.0", build="sleep 4", maintscripts=SULKY), "-a", "sulky")

    for seconds in (0.0, 1.5, 3.0):
        killed_in(engine, ticket, "build", seconds)
    for seconds in (0.0, 1.0, 1.7, 2.5, 4.0):
        killed_in(engine, ticket, "image", seconds)

    ended = engine.wait_for_end(ticket)
    assert (ended["status"], ended["failed_workflow_step"]) == ("999", "300"), ended["message"]
    left_once(ended)
    until(lambda: pool(engine) == ["free"])
    nothing_left(engine)


@pytest.mark.sweep
def test_killed_in_the_middle_of_booting_and_testing(engine, submit):
    package = SourcePackage("steady", "1.0", tests={"smoke": "sleep 30; steady"})
    ticket = submit(package, "-a", "steady")

    killed_in(engine, ticket, "image", 1.0)
    killed_in(engine, ticket, "test", 3.0)  # while the disk is prepared
    killed_in(engine, ticket, "test", 15.0)  # while it boots
    until(lambda: "testing steady" in engine.client.ticket(ticket)["message"], 240)
    killed_in(engine, ticket, "test", 5.0)

    ended = engine.wait_for_end(ticket)
    assert ended["status"] == "1000", ended["message"]
    left_once(ended)
    assert published(engine, ended["series"]) == ["steady"]
    assert len(images(engine, ticket)) == 1
    until(lambda: pool(engine) == ["free"])
    nothing_left(engine)
