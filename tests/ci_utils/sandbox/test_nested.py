"""A sandbox in a sandbox, as disk images are customised: its root is the outer one's root too."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import ci_utils
from ci_utils.sandbox.sandbox import Bind, Directory, Host, Sandbox

pytestmark = [pytest.mark.system]

SUPERVISE = """
import socket, sys
from ci_utils.sandbox.launch import supervise
from ci_utils.sandbox.plan import Plan
ours, theirs = socket.socketpair()
sys.exit(supervise(Plan.from_json(sys.argv[1].encode()), theirs))
"""
PROBE = """
for place in /proc/[0-9]*/fd/*; do
    [ -e "$place/../../etc/hostname" ] && echo "out by $place"
    [ -e "$place/etc/hostname" ] && echo "out by $place"
done
[ -e /proc/1/root/etc/hostname ] && echo out by the root of process 1
ls /proc/1/fd
"""


def test_its_first_process_leads_nowhere(small_root: Path, tmp_path: Path):
    inner = Sandbox(Directory(Path("/mnt/root")), nested=True)
    plan = inner.plan(["sh", "-c", PROBE], {}).to_json().decode()
    package = Path(ci_utils.__file__).parent
    outer = Sandbox(
        Host(),
        binds=[
            Bind(package, "/mnt/engine/ci_utils"),
            Bind(small_root, "/mnt/root", read_only=False),
        ],
    )
    with (tmp_path / "log").open("w+b") as log:
        status = outer.run(
            [Path(sys.executable).resolve(), "-sP", "-c", SUPERVISE, plan],
            env={"PYTHONPATH": "/mnt/engine", "PYTHONDONTWRITEBYTECODE": "1"},
            log=log,
            timeout=100,
        )
        log.seek(0)
        output = log.read().decode()
    assert status == 0, output
    assert "out by" not in output
    assert len(output.split()) == 4  # the standard three, and why there might be none
