"""Reaching a machine that has not come up yet."""

from __future__ import annotations

import socket
from types import SimpleNamespace
from typing import Any

import pytest

from ci_utils.compute import ssh
from ci_utils.errors import Cancelled


@pytest.fixture
def silent_machine() -> Any:
    """It takes connections, as QEMU does for a guest that still boots, and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield SimpleNamespace(host="127.0.0.1", port=server.getsockname()[1])


def test_a_machine_that_says_nothing_does_not_answer(silent_machine, monkeypatch):
    monkeypatch.setattr(ssh, "BANNER_SECONDS", 0.1)
    assert not ssh.answers(silent_machine)


def test_who_waits_for_a_machine_to_answer_hears_of_a_cancellation(silent_machine, monkeypatch):
    monkeypatch.setattr(ssh, "BANNER_SECONDS", 3)
    with pytest.raises(Cancelled):
        ssh.answers(silent_machine, cancelled=lambda: True)
