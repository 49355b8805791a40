"""`uci-engine check` says what this machine lacks before anybody waits for it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from ci_utils.hosting import machine


@pytest.fixture
def _no_sandboxes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What makes a sandbox ends as it does where the kernel refuses."""
    refused = tmp_path / "refused"
    refused.write_text("#!/bin/sh\nexit 1\n")
    refused.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(refused))


@pytest.mark.usefixtures("_no_sandboxes")
def test_a_machine_where_no_sandbox_can_be_made_is_not_fine(capsys: pytest.CaptureFixture[str]):
    assert machine.report() == 1
    said = capsys.readouterr().out
    assert "MISSING sandboxes\n        programs cannot be isolated on this machine" in said
