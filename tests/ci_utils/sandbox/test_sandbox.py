"""Programs in a sandbox: what they see, what they may, and that they end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import pytest

from ci_utils.errors import Cancelled, TimedOut, ToolFailed
from ci_utils.sandbox.sandbox import Bind, Directory, Host, Overlay, Sandbox
from ci_utils.sandbox.trees import writable_directory
from tests.ci_utils.sandbox.conftest import LIMIT_SECONDS, Run
from tests.end_to_end.engine import until

pytestmark = [pytest.mark.system]


@pytest.fixture
def sandbox(small_root: Path) -> Sandbox:
    return Sandbox(Overlay([small_root]))


@pytest.fixture
def null() -> Iterator[BinaryIO]:
    with Path("/dev/null").open("wb") as log:
        yield log


@pytest.fixture
def hostile(small_root: Path) -> Sandbox:
    return Sandbox(Overlay([small_root]), unprivileged=True)


def test_a_program_is_root_of_its_own_namespaces_only(sandbox: Sandbox, run: Run):
    status, output = run(sandbox, "id -u; hostname; cat /proc/self/uid_map")
    assert status == 0
    user, host, id_map = output.splitlines()
    assert (user, host) == ("0", "build")
    inside, outside, count = (int(number) for number in id_map.split())
    assert (inside, count) == (0, 65536)
    assert outside != 0


def test_it_sees_its_own_processes_only(sandbox: Sandbox, run: Run):
    _, output = run(sandbox, "ls /proc | grep -c '^[0-9]'")
    assert int(output) <= 5


def test_it_cannot_see_the_hosts_files(sandbox: Sandbox, run: Run, tmp_path: Path):
    (tmp_path / "secret").write_text("secret")
    script = f"ls {tmp_path}; cat {tmp_path}/secret; ls /home /var; cat /proc/1/root{tmp_path}/secret"
    status, output = run(sandbox, script)
    assert status != 0
    assert "\nsecret\n" not in output
    assert output.count("No such file or directory") >= 4


def test_the_old_root_is_not_mounted_any_more(sandbox: Sandbox, run: Run):
    _, output = run(sandbox, "cat /proc/self/mounts")
    places = {line.split()[1] for line in output.splitlines()}
    assert {place for place in places if not place.startswith("/dev")} == {"/", "/proc"}


def test_it_cannot_reach_the_network(hostile: Sandbox, run: Run):
    _, output = run(hostile, "cat /proc/net/dev; cat /proc/net/route")
    interfaces = [line.split(":")[0].strip() for line in output.splitlines() if ":" in line]
    assert interfaces == ["lo"]


def test_the_network_is_there_if_allowed(small_root: Path, run: Run):
    allowed = Sandbox(Overlay([small_root]), network=True)
    _, output = run(allowed, "cat /proc/net/dev; cat /etc/resolv.conf")
    assert Path("/etc/resolv.conf").read_text().strip() in output
    assert output.count(":") >= Path("/proc/net/dev").read_text().count(":")


def test_what_it_writes_is_forgotten(sandbox: Sandbox, run: Run, small_root: Path):
    assert run(sandbox, "touch /new && ls /new") == (0, "/new\n")
    assert run(sandbox, "ls /new")[0] != 0
    assert not (small_root / "new").exists()


def test_what_it_writes_can_be_kept_as_a_layer(small_root: Path, run: Run, tmp_path: Path):
    upper = writable_directory(tmp_path / "layer")
    run(Sandbox(Overlay([small_root], upper=upper)), "echo kept > /kept")
    status, output = run(Sandbox(Overlay([upper / "upper", small_root])), "cat /kept")
    assert (status, output) == (0, "kept\n")


def test_a_bound_directory_is_read_only_unless_said_otherwise(small_root: Path, run: Run, tmp_path: Path):
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    given = writable_directory(private / "given")
    (given / "file").write_text("given")
    fixed = Sandbox(Overlay([small_root]), binds=[Bind(given, "/in/here")])
    assert "Read-only file system" in run(fixed, "cat /in/here/file; touch /in/here/new")[1]
    open_ = Sandbox(Overlay([small_root]), binds=[Bind(given, "/in", read_only=False)], unprivileged=True)
    assert run(open_, "echo result > /in/result")[0] == 0
    assert (given / "result").read_text() == "result\n"


def test_a_link_in_a_hostile_root_does_not_lead_out(run: Run, small_root: Path, tmp_path: Path):
    with tempfile.TemporaryDirectory(dir="/var/tmp") as victim:
        upper = writable_directory(tmp_path / "layer")
        run(Sandbox(Overlay([small_root], upper=upper)), "true")
        (upper / "upper" / "trap").symlink_to(victim)
        given = tmp_path / "given"
        given.mkdir()
        trapped = Sandbox(Overlay([upper / "upper", small_root]), binds=[Bind(given, "/trap/deep")])
        assert run(trapped, "ls /trap/deep")[0] == 0
        assert list(Path(victim).iterdir()) == []


def test_a_hostile_program_has_no_rights(hostile: Sandbox, run: Run):
    status, output = run(hostile, "id -u; grep -E 'Cap|NoNew|Groups' /proc/self/status; touch /x")
    assert status != 0
    values = dict(line.split(":", 1) for line in output.splitlines() if ":\t" in line)
    assert output.startswith("1000\n")
    assert {name: value.strip() for name, value in values.items()} == {
        "Groups": "", "NoNewPrivs": "1",
        "CapInh": "0" * 16, "CapPrm": "0" * 16, "CapEff": "0" * 16, "CapBnd": "0" * 16, "CapAmb": "0" * 16,
    }  # fmt: skip


def test_a_hostile_program_cannot_make_itself_root_again(hostile: Sandbox, run: Run):
    status, output = run(hostile, "unshare --user --map-root-user id")
    assert status != 0
    assert "uid=0" not in output


def test_it_inherits_neither_files_nor_environment(
    hostile: Sandbox, run: Run, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("SECRET_TOKEN", "secret")
    with Path("/etc/passwd").open() as open_file:
        os.set_inheritable(open_file.fileno(), True)
        _, output = run(hostile, "env; ls /proc/self/fd", env={"GIVEN": "yes"})
    assert "SECRET" not in output
    assert "GIVEN=yes" in output
    assert output.split()[-4:] == ["0", "1", "2", "3"]  # 3 is what ls reads


def test_devices_work(hostile: Sandbox, run: Run):
    script = "echo x > /dev/null && : < /dev/zero && : < /dev/urandom && touch /dev/shm/a && ls /dev"
    status, output = run(hostile, script)
    assert status == 0
    assert set(output.split()) == {
        "fd", "full", "null", "ptmx", "pts", "random", "shm", "stderr", "stdin", "stdout", "tty",
        "urandom", "zero",
    }  # fmt: skip


def test_the_exit_status_is_the_programs(sandbox: Sandbox, run: Run):
    assert run(sandbox, "exit 7")[0] == 7
    assert run(sandbox, "kill -9 $$")[0] == 137


def test_a_missing_program_is_a_clear_error(sandbox: Sandbox, null: BinaryIO):
    with pytest.raises(ToolFailed) as caught:
        sandbox.run(["no-such-program"], log=null, timeout=LIMIT_SECONDS)
    assert "No such file or directory" in caught.value.output


def test_a_missing_root_is_a_clear_error(tmp_path: Path, null: BinaryIO):
    with pytest.raises(ToolFailed) as caught:
        Sandbox(Directory(tmp_path / "none")).run(["true"], log=null, timeout=LIMIT_SECONDS)
    assert str(tmp_path / "none") in caught.value.output


def test_a_program_that_takes_too_long_is_ended_with_its_children(sandbox: Sandbox, null: BinaryIO):
    with pytest.raises(TimedOut):
        sandbox.run(["sh", "-c", "sleep 7001 & sleep 7001"], log=null, timeout=0.5)
    assert not _running("sleep\x007001")


def test_a_cancelled_program_is_ended(sandbox: Sandbox, null: BinaryIO):
    with pytest.raises(Cancelled):
        sandbox.run(["sleep", "7002"], log=null, timeout=LIMIT_SECONDS, cancelled=lambda: True)
    assert not _running("sleep\x007002")


def test_what_a_program_leaves_behind_ends_with_it(sandbox: Sandbox, run: Run):
    assert run(sandbox, "sleep 7003 & exit 0")[0] == 0
    assert not _running("sleep\x007003")


def test_everything_dies_with_the_engine(small_root: Path):
    engine = subprocess.Popen([sys.executable, "-c", ENGINE, str(small_root)])
    until(lambda: _running("sleep\x007004"))
    engine.send_signal(signal.SIGKILL)
    engine.wait()
    until(lambda: not _running("sleep\x007004"))


def test_a_program_is_ended_that_has_not_begun_yet(sandbox: Sandbox):
    """By a signal that comes when its first process is there and has not asked yet to end with the others."""
    plan = sandbox.plan(["sh", "-c", "echo begun"], {}).to_json()
    done = subprocess.run(
        [sys.executable, "-c", ENDED_BETWEEN, plan], capture_output=True, timeout=100, check=False
    )
    assert done.stdout == b"", done.stderr


def test_a_launcher_that_ends_before_it_was_told_all_is_no_error_of_the_engine(
    sandbox: Sandbox, null: BinaryIO, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    refused = tmp_path / "refused"
    refused.write_text("#!/bin/sh\nexit 1\n")
    refused.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(refused))
    more_than_a_socket_holds = "x" * (1 << 22)
    assert sandbox.run(["true", more_than_a_socket_holds], log=null, timeout=LIMIT_SECONDS) == 1


def test_a_trusted_program_can_work_in_the_hosts_tree(run: Run, tmp_path: Path):
    work = writable_directory(tmp_path / "work")
    host = Sandbox(Host(), binds=[Bind(work, "/mnt/work", read_only=False)])
    assert run(host, "id -u; echo made > /mnt/work/file; chmod 600 /mnt/work/file")[1] == "0\n"
    assert (work / "file").stat().st_uid != os.getuid()


ENGINE = """
import sys
from pathlib import Path
from ci_utils.sandbox.sandbox import Overlay, Sandbox
with open("/dev/null", "wb") as log:
    script = "sleep 7004 & sleep 7004"
    Sandbox(Overlay([Path(sys.argv[1])]), unprivileged=True).run(["sh", "-c", script], log=log, timeout=600)
"""

#: The second fork makes the first process of the namespaces, which is held up until its parent has ended.
ENDED_BETWEEN = """
import os, signal, socket, sys
from ci_utils.sandbox.launch import supervise
from ci_utils.sandbox.plan import Plan

fork, forks = os.fork, []

def fork_and_end():
    forks.append(True)
    if len(forks) != 2:
        return fork()
    held, holds = os.pipe()
    child = fork()
    if not child:
        os.close(holds)
        os.read(held, 1)
    else:
        os.kill(os.getpid(), signal.SIGTERM)
    return child

os.fork = fork_and_end
ours, theirs = socket.socketpair()
sys.exit(supervise(Plan.from_json(sys.argv[1].encode()), theirs))
"""


def _running(command: str) -> bool:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(path.read_text(errors="replace"))
        except OSError:
            continue
    return any(command in line for line in found)
