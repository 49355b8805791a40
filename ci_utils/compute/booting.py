"""Waits for a machine that boots, and tells from its console when it never will."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from ci_utils.compute import ssh
from ci_utils.compute.port import Instance
from ci_utils.errors import Cancelled, StageFailed

#: What a console says when the boot has failed for good.
DEAD_END = re.compile(
    rb"(Kernel panic - not syncing[^\r\n]*|No bootable device|\(initramfs\) |"
    rb"grub rescue>|error: you need to load the kernel first|error: no such (?:device|partition)[^\r\n]*|"
    rb"You are in emergency mode|Failed to mount [^\r\n]*root)"
)


def wait_until_up(
    instance: Instance,
    *,
    running: Callable[[], bool],
    every: float,
    deadline: float,
    cancelled: Callable[[], bool],
) -> None:
    """Wait until somebody can log in, looking `every` so many seconds.

    `deadline` is by the monotonic clock. Raises `StageFailed` (result key
    `console`) if the image does not boot or the machine is not `running` any
    more, and `Cancelled`.
    """
    while not ssh.answers(instance, cancelled):
        console = instance.console()
        if reason := _why_not(console, running=running, late=time.monotonic() > deadline):
            raise StageFailed(f"the image does not boot: {reason}", result={"console": console})
        if cancelled():
            raise Cancelled("the work was cancelled")
        time.sleep(every)


def _why_not(console: bytes, *, running: Callable[[], bool], late: bool) -> str:
    """What keeps the machine from booting, if anything."""
    if found := DEAD_END.search(console):
        return found[1].decode(errors="replace").strip()
    if not running():
        return "the machine switched itself off"
    return "ssh did not answer in time" if late else ""
