"""Programs that take what they can get: ended with the reason, and the machine lives."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ci_utils import disk_space
from ci_utils.errors import StageFailed
from ci_utils.sandbox import control_group, log_space
from ci_utils.sandbox.limits import Limits
from ci_utils.sandbox.plan import LimitsPlan
from ci_utils.sandbox.sandbox import Bind, Directory, Overlay, Sandbox
from ci_utils.sandbox.trees import writable_directory
from tests.ci_utils.sandbox.conftest import LIMIT_SECONDS, Run
from tests.ci_utils.sandbox.root import make_root

pytestmark = [pytest.mark.system]

MIB = 1 << 20
LIMITS = Limits(memory=256 * MIB, processes=50, disk=64 * MIB)
EAT = "eat() { x=xxxxxxxx; while [ ${#x} -lt 33554432 ]; do x=$x$x; done; sleep 600; }"
#: Each with the sentence that it ends with. Memory and processes: no single one is too much.
GREED = {
    "memory": (
        f"{EAT}; for n in 1 2 3 4 5 6 7 8 9; do eat & done; wait",
        "it used more than 256 MiB of memory",
    ),
    "processes": (
        "sleep 600 & (while :; do sleep 600 & done); wait",
        "it started more than 50 processes",
    ),
    "disk": ("cat /dev/zero > /dir/file; sleep 600", "it filled the 64 MiB of disk that it may use"),
}


def writable_layer(tmp_path: Path) -> Path:
    """A layer with a directory /dir that belongs to the sandbox and is open to its users."""
    upper = writable_directory(tmp_path / "made")
    script = "mkdir /dir && chmod 777 /dir"
    with Path("/dev/null").open("wb") as log:
        root = make_root(tmp_path / "small")
        assert (
            Sandbox(Overlay([root], upper=upper)).run(["sh", "-c", script], log=log, timeout=LIMIT_SECONDS)
            == 0
        )
    return upper / "upper"


@pytest.mark.parametrize("unprivileged", [True, False])
@pytest.mark.parametrize("greed", ["memory", "processes", "disk"])
def test_a_program_that_takes_too_much_is_ended_with_the_reason(
    greed: str, unprivileged: bool, small_root: Path, run: Run, tmp_path: Path
):
    script, reason = GREED[greed]
    layers = [writable_layer(tmp_path), small_root]
    limited = Sandbox(Overlay(layers), unprivileged=unprivileged, limits=LIMITS)
    with pytest.raises(StageFailed) as caught:
        run(limited, script)
    assert caught.value.message == reason
    assert run(limited, "echo alive") == (0, "alive\n")


def test_what_is_written_to_disk_is_counted(small_root: Path, run: Run, tmp_path: Path):
    upper, results = writable_directory(tmp_path / "layer"), writable_directory(tmp_path / "results")
    binds = [Bind(results, "/results", read_only=False)]
    layers = [writable_layer(tmp_path), small_root]
    limited = Sandbox(Overlay(layers, upper=upper), binds=binds, unprivileged=True, limits=LIMITS)
    for place in ("/dir", "/results"):
        script = f"i=0; while :; do i=$((i + 1)); cat /bin/* > {place}/$i; done"
        with pytest.raises(StageFailed, match="it filled the 64 MiB of disk"):
            run(limited, script)


def test_what_is_written_to_a_directory_as_root_is_counted(small_root: Path, run: Run, tmp_path: Path):
    root = writable_directory(tmp_path / "root")
    for name in ("bin", "lib", "lib64", "usr", "tmp"):
        if (small_root / name).exists():
            subprocess.run(["cp", "-a", small_root / name, root], check=True)
    limited = Sandbox(Directory(root), unprivileged=True, limits=LIMITS)
    with pytest.raises(StageFailed, match="it filled the 64 MiB of disk"):
        run(limited, "mkdir /new; i=0; while :; do i=$((i + 1)); cat /bin/* > /new/$i; done")


def test_a_single_file_cannot_be_much_larger_than_the_limit(small_root: Path, run: Run, tmp_path: Path):
    results = writable_directory(tmp_path / "results")
    binds = [Bind(results, "/results", read_only=False)]
    limited = Sandbox(Overlay([small_root]), binds=binds, unprivileged=True, limits=LIMITS)
    with pytest.raises(StageFailed, match="it filled the 64 MiB of disk"):
        run(limited, "cat /dev/zero > /results/file")
    assert (results / "file").stat().st_size <= 4 * 64 * MIB


def test_many_small_files_fill_the_disk_too(small_root: Path, run: Run, tmp_path: Path):
    results = writable_directory(tmp_path / "results")
    binds = [Bind(results, "/results", read_only=False)]
    limited = Sandbox(Overlay([small_root]), binds=binds, unprivileged=True, limits=Limits(disk=MIB))
    script = "i=0; while [ $i -lt 1100 ]; do i=$((i + 1)); : > /results/$i; done; sleep 600"
    with pytest.raises(StageFailed, match="it filled the 1 MiB of disk"):
        run(limited, script)


def test_memory_behind_other_names_is_limited_too(small_root: Path, run: Run):
    limited = Sandbox(Overlay([small_root]), unprivileged=True, limits=LIMITS)
    assert run(limited, "cat /dev/zero > /dev/shm/file || exit 9")[0] == 9


def test_a_program_that_prints_without_end_is_ended(
    small_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(log_space, "MAX_LOG_BYTES", MIB)
    limited = Sandbox(Overlay([small_root]), unprivileged=True, limits=Limits())
    with (tmp_path / "log").open("wb", buffering=0) as log:
        log.write(b"before\n")
        with pytest.raises(StageFailed, match="it printed more than"):
            limited.run(["cat", "/dev/zero"], log=log, timeout=LIMIT_SECONDS)
    assert (tmp_path / "log").stat().st_size == MIB + len(b"before\n")


@pytest.mark.parametrize("place", [0, 1 << 42])
def test_a_program_prints_to_the_end_of_the_log_and_nowhere_else(
    place: int, small_root: Path, tmp_path: Path
):
    limited = Sandbox(Overlay([small_root]), unprivileged=True, limits=LIMITS)
    script = f'sysseek STDOUT, {place}, 0; syswrite STDOUT, "printed\\n"'
    with (tmp_path / "log").open("wb", buffering=0) as log:
        log.write(b"before\n")
        assert limited.run(["perl", "-e", script], log=log, timeout=LIMIT_SECONDS, env={"LC_ALL": "C"}) == 0
        log.write(b"after\n")
    assert (tmp_path / "log").stat().st_size < 100
    assert (tmp_path / "log").read_text() == "before\nprinted\nafter\n"


@pytest.mark.parametrize("unprivileged", [True, False])
def test_a_program_may_open_its_output_anew(small_root: Path, run: Run, unprivileged: bool):
    sandbox = Sandbox(Overlay([small_root]), unprivileged=unprivileged)
    script = "echo one > /dev/stderr; echo two > /dev/stdout"
    assert run(sandbox, script) == (0, "one\ntwo\n")


def test_a_program_that_ended_after_it_printed_too_much_is_told_so_too(
    small_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(log_space, "MAX_LOG_BYTES", 10)
    limited = Sandbox(Overlay([small_root]), limits=LIMITS)
    with (
        (tmp_path / "log").open("wb", buffering=0) as log,
        pytest.raises(StageFailed, match="it printed more than"),
    ):
        limited.run(["sh", "-c", "echo 12345678901"], log=log, timeout=LIMIT_SECONDS)
    assert (tmp_path / "log").stat().st_size == 10


def test_modest_programs_run_without_a_word(small_root: Path, run: Run):
    limited = Sandbox(Overlay([small_root]), unprivileged=True, limits=Limits())
    assert run(limited, "sleep 1 & cat /bin/sh > /dev/shm/x; exit 3") == (3, "")


def test_no_group_is_left(small_root: Path, run: Run):
    limited = Sandbox(Overlay([small_root]), unprivileged=True, limits=LIMITS)
    before = abandoned_groups()
    run(limited, "true")
    assert abandoned_groups() <= before


def abandoned_groups() -> set[Path]:
    """Control groups whose supervisor is gone, be they of engines that other tests kill meanwhile."""
    groups = control_group.MOUNTS.rglob(f"{control_group.PREFIX}*")
    return {group for group in groups if not Path("/proc", group.name.rpartition("-")[2]).exists()}


@pytest.mark.parametrize("greed", ["memory", "processes", "disk"])
def test_the_same_where_there_are_no_control_groups(greed: str, tmp_path: Path):
    layers = [writable_layer(tmp_path), tmp_path / "small"]
    script, reason = GREED[greed]
    command = 'mount -t tmpfs none /sys/fs/cgroup && exec "$@"'
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", command, "sh", sys.executable, "-c", PROGRAM, *layers, script],
        capture_output=True,
        text=True,
        check=False,
    )
    if "unshare" in done.stderr:
        pytest.skip("only root can hide the control groups")
    assert done.stdout.splitlines()[-1] == reason, done.stderr


PROGRAM = """
import sys
from pathlib import Path
from ci_utils.errors import StageFailed
from ci_utils.sandbox.limits import Limits
from ci_utils.sandbox.sandbox import Overlay, Sandbox
limits = Limits(memory=256 << 20, processes=50, disk=64 << 20)
sandbox = Sandbox(Overlay([Path(sys.argv[1]), Path(sys.argv[2])]), unprivileged=True, limits=limits)
with open("/dev/null", "wb") as log:
    try:
        sandbox.run(["sh", "-c", sys.argv[3]], log=log, timeout=100)
    except StageFailed as error:
        print(error)
"""


def test_version_2_is_told_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    service = tmp_path / "system.slice" / "engine.service"
    (service / "main").mkdir(parents=True)
    (tmp_path / "cgroup.controllers").write_text("memory pids\n")
    (tmp_path / "own").write_text("0::/system.slice/engine.service/main\n")
    (service / "main" / "cgroup.subtree_control").mkdir()  # refuses: it has processes itself
    monkeypatch.setattr(control_group, "MOUNTS", tmp_path)
    monkeypatch.setattr(control_group, "OWN_GROUPS", tmp_path / "own")
    with control_group.control_group(LimitsPlan(1000, 7, 2000, 500)) as group:
        [made] = set(group.directories.values())
        assert made.parent == service
        assert (service / "cgroup.subtree_control").read_text() == "+memory +pids"
        found = {path.name: path.read_text() for path in made.iterdir()}
        assert found == {"memory.max": "1000", "memory.swap.max": "0", "pids.max": "7"}
        assert group.exceeded() == ""
        (made / "pids.events").write_text("max 3\n")
        assert group.exceeded() == "processes"
        (made / "memory.events").write_text("low 0\noom 2\noom_kill 1\n")
        assert group.exceeded() == "memory"


def test_a_program_that_fails_for_want_of_the_hosts_disk_is_said_to(
    small_root, run: Run, tmp_path, monkeypatch
):
    monkeypatch.setattr(disk_space, "LEFT_FOR_RECORDS", 1 << 62)
    monkeypatch.setattr(log_space, "LEFT_OF_A_LOG", 10)
    limited = Sandbox(Overlay([small_root]), limits=LIMITS)
    for script in ("echo 1234567890; sleep 600", "echo 1234567890; exit 1"):
        with pytest.raises(StageFailed, match=r"the disk with the engine's data \(UCI_DATA_DIR\) is full"):
            run(limited, script)
        assert (tmp_path / "log").stat().st_size <= 10


def test_what_is_written_after_a_log_was_cut_follows_it(small_root: Path, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(log_space, "nearly_full", lambda log: os.fstat(log).st_size > 10)
    monkeypatch.setattr(log_space, "LEFT_OF_A_LOG", 10)
    limited = Sandbox(Overlay([small_root]), limits=LIMITS)
    with (tmp_path / "log").open("wb", buffering=0) as log:
        with pytest.raises(StageFailed, match="is full"):
            limited.run(["sh", "-c", "echo 12345678901234567890; exit 1"], log=log, timeout=LIMIT_SECONDS)
        log.write(b"why")
    assert (tmp_path / "log").read_bytes() == b"1234567890why"
