"""A ticket system to talk to, a key to sign with, and the command line."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cli import create_ticket, follow
from cli.main import main
from tests.ci_utils.source_package.uploads import SigningKey, throw_away_key
from tests.cli.ticket_system import TOKEN, TicketSystem, running_ticket_system

#: The command as it is installed, for tests that need a process of its own.
UBUNTU_CI = Path(sys.executable).parent / "ubuntu-ci"
UbuntuCI = Callable[..., int]


@pytest.fixture(scope="session")
def key() -> Iterator[SigningKey]:
    with throw_away_key("Alice <alice@example.com>") as alice:
        yield alice


@pytest.fixture
def system() -> Iterator[TicketSystem]:
    with running_ticket_system() as running:
        yield running


@pytest.fixture
def ubuntu_ci(system: TicketSystem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> UbuntuCI:
    """Runs `ubuntu-ci` with these arguments in an empty environment; gives its exit status."""
    for name in ("DEBEMAIL", "EMAIL", "UCI_STAGING_URL", "FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("UCI_URL", system.url)
    monkeypatch.setenv("UCI_TOKEN", TOKEN)
    monkeypatch.setattr(follow, "POLL_SECONDS", 0.001)
    monkeypatch.setattr(create_ticket, "SEND_AGAIN_AFTER", (0.001, 0.001))

    def run(*arguments: object) -> int:
        try:
            return main([str(argument) for argument in arguments])
        except SystemExit as leaving:  # argparse leaves by itself
            return int(leaving.code or 0)

    return run
