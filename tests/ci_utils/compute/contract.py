"""What every compute must do; each adapter's test class inherits `ComputeContract`.

A boot takes half a minute where machines are emulated, so one machine serves
all the tests that only look at it.
"""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable

import pytest

from ci_utils.compute.port import Compute, Instance, TestbedNeeds
from ci_utils.errors import Cancelled, CIError, StageFailed

BOOT_SECONDS = 600


def never() -> bool:
    return False


class ComputeContract:
    """The inheriting module gives the module-scoped fixtures `compute`, `image_id` and `broken_image_id`."""

    @pytest.fixture(scope="class")
    @classmethod
    def instance(cls, compute: Compute, image_id: str):
        needs = TestbedNeeds(dependencies=["hello"])
        with compute.boot(
            image_id, name="contract", needs=needs, timeout=BOOT_SECONDS, cancelled=never
        ) as machine:
            yield machine

    @pytest.fixture
    def ssh(self, instance: Instance) -> Callable[[str], str]:
        return lambda command: ssh_to(instance, command)

    def test_a_machine_answers_as_its_user(self, ssh, instance):
        assert ssh("id -un") == f"{instance.user}\n"

    def test_a_machine_has_an_ordinary_user(self, ssh, instance):
        assert int(ssh(f"id -u {instance.ordinary_user}")) >= 1000

    def test_a_machine_runs_a_kernel_of_its_own(self, ssh):
        with open("/proc/sys/kernel/random/boot_id") as ours:  # noqa: PTH123
            assert ssh("cat /proc/sys/kernel/random/boot_id") != ours.read()

    def test_everything_that_should_has_started(self, ssh):
        assert ssh("systemctl is-system-running --wait; systemctl --failed --no-legend") == "running\n"

    def test_the_needed_packages_can_be_installed(self, ssh):
        ssh("DEBIAN_FRONTEND=noninteractive sudo apt-get install -qq --yes hello >/dev/null 2>&1")
        assert ssh("hello") == "Hello, world!\n"

    def test_the_results_say_what_the_machine_runs_on(self, instance):
        assert instance.runs_on

    def test_the_console_is_seen(self, instance):
        assert b"login:" in instance.console()

    def test_an_image_that_does_not_boot_fails_with_its_console(self, compute, broken_image_id):
        with (
            pytest.raises(StageFailed, match="does not boot") as failure,
            compute.boot(broken_image_id, name="broken", timeout=BOOT_SECONDS, cancelled=never),
        ):
            pytest.fail("it booted")
        assert isinstance(failure.value.result["console"], bytes)

    def test_a_boot_can_be_cancelled(self, compute, image_id):
        cancelled = threading.Event()
        threading.Timer(3, cancelled.set).start()
        with (
            pytest.raises(Cancelled),
            compute.boot(image_id, name="cancelled", timeout=BOOT_SECONDS, cancelled=cancelled.is_set),
        ):
            pytest.fail("it booted")

    def test_an_image_that_is_not_there_is_refused(self, compute):
        with (
            pytest.raises(CIError),
            compute.boot("nothing", name="nothing", timeout=BOOT_SECONDS, cancelled=never),
        ):
            pytest.fail("it booted")

    def test_machines_that_live_are_not_swept(self, compute, ssh):
        assert compute.sweep("contract") == []
        assert ssh("echo here") == "here\n"


def ssh_to(instance: Instance, command: str) -> str:
    """What a command prints on the machine."""
    argv = [
        *("ssh", "-q", "-F", "none", "-i", str(instance.identity), "-p", str(instance.port)),
        *("-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"),
        *(f"{instance.user}@{instance.host}", command),
    ]
    done = subprocess.run(
        argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=300
    )
    return done.stdout
