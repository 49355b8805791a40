"""Machines on this host, booted from their own boot loader."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from ci_utils.compute.local import LocalCompute
from ci_utils.disk_image import qcow2
from ci_utils.disk_image.customise import customise
from ci_utils.errors import InvalidRequest, StageFailed
from ci_utils.sandbox.limits import Limits
from tests.ci_utils.compute.contract import BOOT_SECONDS, ComputeContract, never
from tests.ci_utils.disk_image.cached_base import host_mirror
from tests.end_to_end.engine import until

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def work_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("machines")


@pytest.fixture(scope="module")
def compute(image_store, work_dir: Path) -> LocalCompute:
    return LocalCompute(image_store, work_dir, host_mirror())


class TestLocalCompute(ComputeContract):
    """The contract, on QEMU."""

    def test_a_machine_reaches_nothing_of_the_host(self, ssh):
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            reach = f"timeout 5 bash -c 'exec 3<>/dev/tcp/10.0.2.2/{port}' && echo reached || echo closed"
            assert ssh(reach) == "closed\n"

    def test_apt_sees_only_what_the_tests_need(self, ssh):
        assert ssh("apt-cache --names-only search '^jq$'") == ""

    def test_the_image_itself_is_not_changed(self, instance, image_store, image_id, tmp_path):
        stored = image_store.fetch(image_id, tmp_path)
        assert stored.stat().st_size == image_store.get(image_id).size


def test_a_machine_ends_with_an_engine_that_is_killed(image_store, image_id, tmp_path):
    program = """
import sys, time
from pathlib import Path
from ci_utils.compute.qemu import Machine
from ci_utils.disk_image import qcow2
disk = Path(sys.argv[1])
machine = Machine(disk, accelerator="tcg", memory_mib=256, cpus=1)
print(machine.port, flush=True)
time.sleep(1000)
"""
    disk = tmp_path / "disk.qcow2"
    qcow2.create_overlay(disk, image_store.fetch(image_id, tmp_path))
    with subprocess.Popen([sys.executable, "-c", program, disk], stdout=subprocess.PIPE) as engine:
        assert engine.stdout is not None
        assert int(engine.stdout.readline()) > 0
        assert users_of(disk)
        engine.kill()
    until(lambda: not users_of(disk))


def test_what_a_dead_engine_left_is_swept_by_name(compute, work_dir):
    for name in ("old.1~abc", "old.2~abc", "new.1~abc"):
        (work_dir / name).mkdir()
        (work_dir / name / "lock").touch()
        (work_dir / name / "disk.qcow2").write_bytes(b"left")
    assert compute.sweep("old.") == ["old.1", "old.2"]
    assert compute.sweep("old.") == []
    assert compute.sweep("new.") == ["new.1"]


def test_what_prepares_an_image_for_its_tests_has_the_limits_of_the_settings(
    image_store, image_id, work_dir, tmp_path
):
    greedy = "printf '#!/bin/sh\nperl -e \"fork while 1\"\n' > /usr/bin/ssh-keygen"
    path = tmp_path / "greedy.qcow2"
    qcow2.create_overlay(path, image_store.fetch(image_id, tmp_path))
    with (tmp_path / "log").open("wb") as log:
        assert customise(path, ["sh", "-c", greedy], log=log, timeout=300) == 0
    compute = LocalCompute(image_store, work_dir, host_mirror(), limits=Limits(processes=300))
    greedy_id = image_store.upload("greedy", path).id

    with (
        pytest.raises(StageFailed, match="was ended: it started more than 300 processes"),
        compute.boot(greedy_id, name="greedy", timeout=BOOT_SECONDS, cancelled=never),
    ):
        pytest.fail("it booted")


@pytest.mark.parametrize("name", ["", "../x", "a/b", "-x", "a\n"])
def test_a_name_that_leaves_the_directory_is_refused(compute, image_id, name):
    with (
        pytest.raises(InvalidRequest, match="not a name for a machine"),
        compute.boot(image_id, name=name, timeout=1, cancelled=never),
    ):
        pytest.fail("it booted")


def users_of(path: Path) -> list[str]:
    """Command lines of the QEMU processes that name the file."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_text(errors="replace")
        except OSError:
            continue
        if command.startswith("qemu-system") and str(path) in command:
            found.append(command)
    return found
