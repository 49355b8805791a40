"""Small programs on texts in memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from ci_utils.errors import TimedOut, ToolMissing
from ci_utils.quick_program import SECOND_INPUT, run

DESCRIPTORS = Path("/proc/self/fd")
ENV = {"LC_ALL": "C.UTF-8"}


def _sh(script: str, first: bytes = b"", second: bytes = b"", *, timeout: float = 100, room: int = 1 << 20):
    return run(["sh", "-c", script], first, second, env=ENV, timeout=timeout, room=room)


def test_a_program_reads_two_texts_and_writes_two() -> None:
    assert _sh(f"cat; cat {SECOND_INPUT} >&2; exit 3", b"a\0" * 500_000, b"second") == (
        3,
        b"a\0" * 500_000,
        b"second",
    )


def test_a_program_that_prints_nothing_has_printed_nothing() -> None:
    assert _sh("true", b"text", b"text") == (0, b"", b"")


def test_a_program_cannot_write_more_than_its_room() -> None:
    status, out, _ = _sh("printf x; head -c 100000 /dev/zero", room=1000)
    assert status == 1
    assert len(out) < 1000


def test_a_program_that_does_not_end_is_killed() -> None:
    with pytest.raises(TimedOut, match="sh did not end within 0"):
        _sh("exec sleep 600", timeout=0.2)


def test_a_program_killed_by_a_signal_has_failed() -> None:
    assert _sh("kill -9 $$")[0] == -9


def test_a_missing_program_is_named() -> None:
    with pytest.raises(ToolMissing, match="no-such-program is not installed"):
        run(["no-such-program"], b"", b"", env=ENV, timeout=1, room=1)


def test_nothing_stays_open_and_nothing_else_is_handed_on() -> None:
    before = len(list(DESCRIPTORS.iterdir()))
    _, listed, _ = _sh("ls /proc/self/fd")
    assert sorted(listed.split()) == [b"0", b"1", b"2", b"3", b"4"]  # the last is the directory itself
    assert len(list(DESCRIPTORS.iterdir())) == before
