"""`uci-engine launchpad-credentials`, run as an operator does."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import IO

import pytest

from ci_utils.archive.launchpad.authorisation import begin_authorisation
from ci_utils.config import LaunchpadConfig
from ci_utils.errors import Forbidden, TimedOut, Unavailable
from tests.harness.launchpad.server import USER, Server
from tests.harness.launchpad.web import Fault
from tests.harness.processes import free_port

pytestmark = pytest.mark.server

COMMAND = "import sys; from ci_utils.hosting.main import main; sys.exit(main())"


class Operator:
    """Runs the command in a directory."""

    def __init__(self, server: Server, directory: Path) -> None:
        self._server = server
        self.directory = directory

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        environment = {"UCI_LAUNCHPAD_API": self._server.web.address, "PATH": os.environ["PATH"]}
        return subprocess.Popen(
            [sys.executable, "-c", COMMAND, "launchpad-credentials", *arguments],
            env=environment | {"PYTHONPATH": str(Path.cwd())},
            cwd=self.directory,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def open_address(self, stdout: IO[str]) -> str:
        """Read the address that the command prints, and the request token in it."""
        for line in stdout:
            if found := re.search(r"(http://\S+/\+authorize-token\?oauth_token=(\w+))", line):
                assert found[1].startswith(self._server.web.address)
                return found[2]
        raise AssertionError("no address was printed")


@pytest.fixture
def operator(server: Server, tmp_path: Path) -> Operator:
    directory = tmp_path / "operator"
    directory.mkdir()
    return Operator(server, directory)


@pytest.mark.parametrize("printed", [False, True])
def test_the_settings_that_come_out_work(operator: Operator, server: Server, printed: bool):
    with operator.start(*(["--output", "-"] if printed else [])) as command:
        assert command.stdout
        token = operator.open_address(command.stdout)
        server.tokens.requests[token].user = USER
        said = command.stdout.read()
    assert command.returncode == 0, said
    file = operator.directory / "lp_creds.txt"
    if not printed:
        assert file.stat().st_mode & 0o777 == 0o600
        text = file.read_text()
        assert "The settings are in lp_creds.txt" in said
    else:
        text = said
        assert list(operator.directory.iterdir()) == []
    shell = subprocess.run(
        ["sh", "-c", f"{text}\nenv"], env={}, capture_output=True, text=True, check=True
    ).stdout
    settings = dict(line.split("=", 1) for line in shell.splitlines())
    assert (settings["CI_LAUNCHPAD_USER"], settings["CI_OAUTH_CONSUMER_KEY"]) == (USER, "ci-airline")
    assert server.tokens.access[settings["CI_OAUTH_TOKEN"]].secret == settings["CI_OAUTH_TOKEN_SECRET"]
    if not printed:
        assert settings["CI_OAUTH_TOKEN_SECRET"] not in said


def test_who_refuses_is_believed(operator: Operator, server: Server):
    with operator.start() as command:
        assert command.stdout
        server.tokens.requests[operator.open_address(command.stdout)].declined = True
        said = command.stdout.read()
    assert command.returncode == 1
    assert "uci-engine: it was refused in Launchpad" in said
    assert list(operator.directory.iterdir()) == []


def test_it_waits_and_not_for_ever(server: Server):
    authorisation = begin_authorisation(server.config)
    with pytest.raises(TimedOut, match="nobody allowed it"):
        authorisation.wait(seconds=0.1, poll_seconds=0.01)


def test_trouble_while_waiting_is_told(server: Server):
    authorisation = begin_authorisation(server.config)
    server.web.faults.append(Fault("access-token", 500, "oops"))
    with pytest.raises(Unavailable, match="status 500"):
        authorisation.wait(seconds=1, poll_seconds=0.01)
    server.web.faults.append(Fault("request-token", 403, "no"))
    with pytest.raises(Forbidden):
        begin_authorisation(server.config)


def test_without_a_launchpad_nothing_begins():
    config = LaunchpadConfig.from_environment({"UCI_LAUNCHPAD_API": f"http://127.0.0.1:{free_port()}"})
    with pytest.raises(Unavailable, match="UCI_LAUNCHPAD_API"):
        begin_authorisation(config)
