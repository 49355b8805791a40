"""Whether this machine lets this user make sandboxes, found out by making one."""

from __future__ import annotations

import subprocess
from pathlib import Path

from ci_utils.commands import wait_for
from ci_utils.errors import ConfigurationError
from ci_utils.sandbox.sandbox import Host, Sandbox

APPARMOR = Path("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")
#: A sandbox takes a tenth of a second, and a minute where the disk is busy.
PROBE_SECONDS = 120


def require_sandboxes() -> None:
    """Raise `ConfigurationError` that says what to do if no sandbox can be made here; `TimedOut`."""
    with Sandbox(Host()).popen(["true"], stderr=subprocess.DEVNULL) as process:
        wait_for(process, timeout=PROBE_SECONDS, name="a sandbox")
        problem = process.failure()
    if process.returncode == 0:
        return
    if APPARMOR.is_file() and APPARMOR.read_text().strip() == "1":
        hint = f"as root run: sysctl -w kernel.{APPARMOR.name}=0"
    else:
        hint = "the kernel must allow user namespaces and newuidmap must be installed (package uidmap)"
    raise ConfigurationError(f"programs cannot be isolated on this machine ({problem}); {hint}")
