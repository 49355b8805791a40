"""What somebody does at the command line about a ticket that failed."""

from __future__ import annotations

import json

import pytest

from cli.exit_codes import Exit
from tests.end_to_end.engine import Engine
from tests.source_packages import SourcePackage

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.timeout(900)]


def test_a_failed_ticket_is_looked_at_and_sent_again(engine: Engine, uploader, tmp_path):
    package = SourcePackage("stubborn", "1.0", build="echo this is why; false")
    changes = package.upload(tmp_path, uploader)
    made = engine.ubuntu_ci("create_ticket", "--json", "-o", "me@example.com", "-s", changes)
    number = json.loads(made.stdout)["id"]

    followed = engine.ubuntu_ci("logs", "--follow", str(number))
    assert followed.returncode == Exit.TICKET_FAILED
    assert "build: " in followed.stdout
    assert "this is why" in engine.ubuntu_ci("logs", str(number), "build").stdout

    # The pool has one archive: it has seen this version, and takes the very same again.
    again = engine.ubuntu_ci("retry", "--json", "--follow", str(number))
    assert again.returncode == Exit.TICKET_FAILED, again.stderr
    retried, *changes_of_state = [json.loads(line) for line in again.stdout.splitlines()]
    assert retried["retry_of"] == number
    assert changes_of_state[-1]["failed_step_name"] == "Package Building"
    assert "stubborn 1.0 failed to build" in changes_of_state[-1]["message"]
    assert engine.client.ticket(retried["id"])["retry_of"] == number

    listed = json.loads(engine.ubuntu_ci("artifacts", "--json", str(retried["id"])).stdout)
    assert "stubborn_1.0.dsc" in {file["name"] for file in listed}
