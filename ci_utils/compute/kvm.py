"""Whether KVM really runs guests here.

/dev/kvm and the CPU's flags prove nothing: a nested or restricted KVM can take
a machine and never run it. So the probe boots one sector that does what a
kernel does early (`kvm_probe.s`). Where KVM works it answers within 0.1 s.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from ci_utils.commands import never, run_logged
from ci_utils.errors import TimedOut

#: The code of `kvm_probe.s`; zeros and the boot signature follow it.
BOOT_CODE = bytes.fromhex(
    "fa31c08ed88ec08ed0bc007cbf00106631c0b90018fcf3ab66c70600100320000066c70600200330000066c706003083"
    "0000000f0116e07c66b8001000000f22d80f20e0660d200600000f22e066b9800000c00f32660d000100000f300f20c0"
    "660d010000806683e0fb0f22c0ea727c0800b8100000008ed88ed0bc007c000031c00fa266480f6ec4660fd4c00fae04"
    "2500500000f048ff0425006000000f013c25006000000f010425006100000f01f80f31488d052c0000000f011866ba01"
    "05b815000000eff4000000000000000000000000009a200000000000009200001700c87c"
)
BOOT_SECTOR = BOOT_CODE.ljust(510, b"\0") + b"\x55\xaa"
#: SeaBIOS does not boot from a smaller disk.
DISK_BYTES = 1024 * 1024
PROBE_SECONDS = 5
#: What isa-debug-exit makes of the 0x15 that the boot sector writes.
ANSWER = 0x15 * 2 + 1

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def choose_accelerator(setting: str, cache: Path, *, cancelled: Callable[[], bool] = never) -> str:
    """`kvm` or `tcg` for the setting UCI_ACCELERATOR.

    For `auto` the probe's answer is kept in the directory `cache` until the
    next boot of this host. Raises `Cancelled`.
    """
    if setting != "auto":
        return setting
    answer = cache / "kvm-probe.json"
    boot_id = BOOT_ID.read_text().strip()
    try:
        known = json.loads(answer.read_text())
    except (OSError, ValueError):
        known = {}
    if known.get("boot_id") != boot_id:
        known = {
            "boot_id": boot_id,
            "usable": os.access("/dev/kvm", os.R_OK | os.W_OK) and runs_guests("kvm", cancelled=cancelled),
        }
        cache.mkdir(parents=True, exist_ok=True)
        answer.write_text(json.dumps(known))
    return "kvm" if known["usable"] else "tcg"


def runs_guests(
    accelerator: str, *, timeout: float = PROBE_SECONDS, cancelled: Callable[[], bool] = never
) -> bool:
    """Whether a guest under this accelerator gets through its first instructions in so many seconds.

    Raises `Cancelled`.
    """
    with tempfile.TemporaryFile() as log, tempfile.NamedTemporaryFile(prefix="uci-kvm-probe-") as disk:
        disk.write(BOOT_SECTOR)
        disk.truncate(DISK_BYTES)
        disk.flush()
        argv = [
            *("qemu-system-x86_64", "-accel", accelerator, "-cpu", "host" if accelerator == "kvm" else "max"),
            *("-machine", "q35", "-m", "32", "-nodefaults", "-display", "none", "-no-reboot"),
            *("-device", "isa-debug-exit,iobase=0x501,iosize=4"),
            *("-drive", f"file={disk.name},format=raw,if=ide"),
        ]
        try:
            return run_logged(argv, log=log, timeout=timeout, cancelled=cancelled) == ANSWER
        except TimedOut:
            return False
