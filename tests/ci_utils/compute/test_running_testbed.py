"""What programs of a machine print while it is made a testbed is taken within limits.

The programs `ssh` and `scp` are stood in for: they print what a hostile image would.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ci_utils.apt.mirror import Mirror
from ci_utils.compute import port, running_testbed
from ci_utils.compute.running_testbed import prepare_running
from ci_utils.errors import StageFailed, ToolFailed
from tests.ci_utils.compute.contract import never

MIB = 1 << 20


class Machine(port.Instance):
    """A machine that nobody reaches."""

    host, port, user, identity = "192.0.2.1", 22, "root", Path("/nonexistent/key")

    def console(self) -> bytes:
        return b""

    def delete(self) -> None:
        """There is nothing to delete."""


@pytest.fixture
def prepare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Prepares a machine where every command runs this script of the shell instead."""
    monkeypatch.setattr(running_testbed, "MAX_STATUS_BYTES", MIB)
    monkeypatch.setattr(running_testbed, "MAX_LOG_BYTES", MIB)
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")

    def run(script: str) -> None:
        for name in ("ssh", "scp"):
            program = tmp_path / "bin" / name
            program.write_text(f"#!/bin/sh\n{script}\n")
            program.chmod(0o755)
        mirror = Mirror(tmp_path / "mirror", "stable", "http://192.0.2.1/")
        deadline = time.monotonic() + 100
        prepare_running(Machine(), mirror, port.TestbedNeeds(), tmp_path, deadline=deadline, cancelled=never)

    return run


@pytest.fixture
def _repository(monkeypatch: pytest.MonkeyPatch) -> None:
    """The packages that tests need cost no mirror."""
    monkeypatch.setattr(running_testbed, "write_repository", lambda path, *_, **__: path.mkdir())


def test_a_list_of_packages_without_end_is_refused(prepare):
    with pytest.raises(StageFailed, match="list of packages is larger than 1048576 bytes"):
        prepare("head -c 8M /dev/zero")


def test_a_list_of_packages_that_cannot_be_read_says_what_ssh_said(prepare):
    with pytest.raises(ToolFailed, match="list of packages cannot be read") as caught:
        prepare("echo Connection closed >&2; exit 255")
    assert "Connection closed" in caught.value.output


ONLY_THE_LIST = 'case "$*" in *"cat /var/lib/dpkg/status") exit;; esac;'


@pytest.mark.usefixtures("_repository")
def test_a_machine_that_prints_without_end_is_ended(prepare, tmp_path):
    begun = time.monotonic()
    with pytest.raises(StageFailed, match="was ended: it printed more than 1 MiB"):
        prepare(f"{ONLY_THE_LIST} while sleep 0.05; do head -c 200000 /dev/zero; done")
    assert time.monotonic() - begun < 60
    assert not list(tmp_path.glob(".packages-*"))


@pytest.mark.usefixtures("_repository")
def test_of_what_a_machine_printed_the_end_is_told(prepare):
    with pytest.raises(ToolFailed, match="could not be prepared for tests") as caught:
        prepare(f"{ONLY_THE_LIST} head -c 900000 /dev/zero | tr '\\0' x; echo why; exit 1")
    told = caught.value.output
    assert told.rstrip().endswith("why")
    assert len(told) < 10_000
