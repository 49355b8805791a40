"""A ticket all the way: built, in an image, booted, tested, published; and how it fails at each stage."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.end_to_end.engine import VENV_BIN, Engine, until
from tests.end_to_end.repeated import AT_ONCE, Repeated
from tests.source_packages import SourcePackage

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture
def land(engine: Engine, uploader, tmp_path: Path):
    """Submit a package as a user does and return the ticket as it ended."""

    def submit(package: SourcePackage, *options: str) -> dict[str, Any]:
        changes = package.upload(tmp_path, uploader)
        answer = engine.ubuntu_ci(
            "create_ticket", "-t", package.name, "-o", "me@example.com", "-s", changes, *options
        )
        assert answer.returncode == 0, answer.stdout + answer.stderr
        newest = next(engine.client.tickets(limit=1))
        return engine.wait_for_end(newest["id"])

    return submit


def published(engine: Engine) -> str:
    """The source index of the destination archive."""
    answer = requests.get(
        f"{engine.url}/archives/local/archive/dists/{series(engine)}/main/source/Sources", timeout=60
    )
    return str(answer.text) if answer.ok else ""


def series(engine: Engine) -> str:
    return str(next(engine.client.tickets(limit=1))["series"])


def log_of(ticket: dict[str, Any]) -> str:
    return str(requests.get(ticket["log_url"], timeout=60).text)


def archive_states(engine: Engine) -> list[str]:
    return [ppa["state"] for ppa in requests.get(f"{engine.url}/api/v1/ppa/", timeout=60).json()["objects"]]


def artifact(ticket: dict[str, Any], kind: str) -> str:
    return str(next(a["reference"] for a in ticket["artifacts"] if a["type"] == kind))


def requests_for_tests(engine: Engine) -> dict[str, int]:
    """How many requests the test runner has, by state."""
    return dict(engine.client.get("status/")["services"]["test_runner"]["requests"])


def test_a_ticket_whose_tests_pass_is_published(engine, land):
    before = requests_for_tests(engine)
    with Repeated(engine, "test", "test_image") as repeated:
        ticket = land(
            SourcePackage("wayfarer", "1.0", tests={"smoke": "test \"$(wayfarer)\" = 'wayfarer 1.0'"}),
            "-a",
            "wayfarer",
        )

    assert ticket["current_workflow_step"] == "1000", ticket["message"]
    meanwhile, afterwards = repeated.answers()
    assert {(status, answer["state"]) for status, answer in meanwhile} <= {(202, "QUEUED"), (202, "RUNNING")}
    assert len(meanwhile) == AT_ONCE
    assert afterwards == [afterwards[0]] * AT_ONCE
    assert (afterwards[0][1]["exit"], afterwards[0][1]["test_result"]) == (True, "PASSED")
    assert requests_for_tests(engine) == before | {"completed": before["completed"] + 1}
    assert "Package: wayfarer" in published(engine)
    steps = [change["workflow_step"] for change in ticket["history"]]
    assert [step for i, step in enumerate(steps) if steps[i - 1 : i] != [step]] == [
        "000",
        "100",
        "200",
        "300",
        "400",
        "500",
        "1000",
    ]
    stream = requests.get(artifact(ticket, "RESULTS"), timeout=60).content
    v2 = subprocess.run([VENV_BIN / "subunit-1to2"], input=stream, capture_output=True, check=True).stdout
    assert (
        b"wayfarer.smoke"
        in subprocess.run([VENV_BIN / "subunit2pyunit"], input=v2, capture_output=True, check=True).stderr
    )
    assert requests.head(artifact(ticket, "IMAGE"), timeout=300).status_code == 200


def test_a_version_that_is_not_higher_than_the_published_one_is_refused(engine, land, uploader, tmp_path):
    assert land(SourcePackage("climber", "1.0"))["current_workflow_step"] == "1000"

    lower = SourcePackage("climber", "0.9").upload(tmp_path, uploader)
    answer = engine.ubuntu_ci("create_ticket", "-o", "me@example.com", "-s", lower)

    assert answer.returncode == 3
    assert "climber 0.9 is not higher than the published version 1.0" in answer.stderr


def test_a_build_that_fails_ends_the_ticket_and_the_next_one_runs(engine, land):
    ticket = land(SourcePackage("brittle", "1.0", build="echo this is why; false"))

    assert ticket["current_workflow_step"] == "999"
    assert ticket["failed_workflow_step"] == "200"
    assert "brittle 1.0 failed to build" in ticket["message"]
    assert "this is why" in log_of(ticket)
    assert "Package: brittle" not in published(engine)

    second = land(SourcePackage("brittle", "1.1", build="false"))
    assert second["failed_workflow_step"] == "200"
    until(lambda: archive_states(engine) == ["free"])


def test_an_image_that_cannot_take_a_package_fails_the_ticket(engine, land):
    ticket = land(SourcePackage("needy", "1.0", depends="no-such-package"), "-a", "needy")

    assert ticket["failed_workflow_step"] == "300"
    assert "needy" in ticket["message"]
    assert "no-such-package" in log_of(ticket)
    assert "Package: needy" not in published(engine)


def test_a_dep8_test_that_fails_ends_the_ticket_unpublished(engine, land):
    ticket = land(
        SourcePackage("liar", "1.0", tests={"truth": "echo it is not so >&2; exit 1"}), "-a", "liar"
    )

    assert ticket["failed_workflow_step"] == "400"
    assert "liar" in ticket["message"]
    assert "it is not so" in log_of(ticket)
    assert "Package: liar" not in published(engine)
