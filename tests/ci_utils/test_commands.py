"""Programs are run, timed out and ended together with what they started."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ci_utils.commands import run, run_logged
from ci_utils.errors import Cancelled, TimedOut, ToolFailed, ToolMissing


def test_the_output_of_a_program_is_returned():
    assert run(["cat"], input=b"hello") == b"hello"


def test_a_failing_program_says_its_status_and_keeps_its_output_out_of_the_message():
    with pytest.raises(ToolFailed) as caught:
        run(["sh", "-c", "echo detail >&2; exit 3"])
    assert caught.value.message == "sh failed with exit status 3"
    assert caught.value.output == "detail\n"


def test_a_missing_program_is_named_with_the_command_that_installs_it(monkeypatch):
    monkeypatch.setenv("PATH", "/nonexistent")

    with pytest.raises(ToolMissing, match=r"qemu-img is not installed; .* apt-get install qemu-utils"):
        run(["qemu-img", "--version"])


def test_a_program_that_takes_too_long_is_ended():
    with pytest.raises(TimedOut, match=r"sleep did not end within 0.2 seconds"):
        run(["sleep", "60"], timeout=0.2)


def test_both_outputs_go_to_the_log(tmp_path: Path):
    with (tmp_path / "log").open("wb") as log:
        status = run_logged(["sh", "-c", "echo one; echo two >&2; exit 5"], log=log, timeout=100)

    assert status == 5
    assert (tmp_path / "log").read_text() == "one\ntwo\n"


def test_cancelling_ends_the_program_and_its_children():
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb") as printed:
        begun = lambda: printed.readline() == b"begun\n"  # noqa: E731
        with os.fdopen(writer, "wb") as log, pytest.raises(Cancelled):
            run_logged(["sh", "-c", "(echo begun; sleep 600) & wait"], log=log, timeout=100, cancelled=begun)

        # All of them hold the pipe: it ends with the last.
        assert printed.read() == b""
