"""`uci-engine check`: what this machine lacks, and the command that installs it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass

from django.conf import settings

from ci_utils.commands import DEBIAN_PACKAGES
from ci_utils.compute.kvm import choose_accelerator
from ci_utils.errors import CIError
from ci_utils.sandbox.probe import require_sandboxes

NEEDED_BYTES = 10 << 30


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; `mend` says what to do when it is not `fine`."""

    what: str
    fine: bool
    mend: str = ""


def report() -> int:
    """Print what was found; 0 if the machine can run the engine, else 1."""
    findings = [*_tools(), *_kernel(), _disk()]
    for finding in findings:
        print(f"{'ok     ' if finding.fine else 'MISSING'} {finding.what}")  # noqa: T201 -- the report
        if finding.mend:
            print(f"        {finding.mend}")  # noqa: T201 -- the report
    missing = sorted(
        {package for name, package in DEBIAN_PACKAGES.items() if not shutil.which(name, path=_search_path())}
    )
    if missing:
        print(f"Install what is missing: apt-get install {' '.join(missing)}")  # noqa: T201 -- the report
    return 0 if all(finding.fine for finding in findings) else 1


def _search_path() -> str:
    return f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


def _tools() -> Iterator[Finding]:
    for name, package in sorted(DEBIAN_PACKAGES.items()):
        fine = shutil.which(name, path=_search_path()) is not None
        yield Finding(name, fine, "" if fine else f"from the package {package}")


def _kernel() -> Iterator[Finding]:
    fuse = os.access("/dev/fuse", os.R_OK | os.W_OK)
    yield Finding("/dev/fuse", fine=fuse, mend="" if fuse else "load the module: modprobe fuse")
    try:
        require_sandboxes()
        yield Finding("sandboxes", fine=True)
    except CIError as error:
        yield Finding("sandboxes", fine=False, mend=error.message)
    accelerator = choose_accelerator(settings.UCI.accelerator, settings.UCI.data_dir / "machines")
    slower = "" if accelerator == "kvm" else "no usable KVM: machines are emulated, which is slower"
    yield Finding(f"machines run with {accelerator}", fine=True, mend=slower)


def _disk() -> Finding:
    free = shutil.disk_usage(settings.UCI.data_dir).free
    fine = free >= NEEDED_BYTES
    mend = (
        "" if fine else f"{settings.UCI.data_dir} needs {NEEDED_BYTES >> 30} GiB; choose another --data-dir"
    )
    return Finding(f"{free >> 30} GiB free in {settings.UCI.data_dir}", fine, mend)
