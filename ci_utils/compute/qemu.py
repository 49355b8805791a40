"""One QEMU process: a machine without a screen, its console and its way in over ssh."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ci_utils.commands import DEBIAN_PACKAGES, end_process_group
from ci_utils.errors import ToolMissing, Unavailable
from ci_utils.sandbox.id_range import first_ids
from ci_utils.sandbox.plan import ID_COUNT

CONSOLE_BYTES = 4 * 1024 * 1024
FORWARDED_PORT = re.compile(r"TCP\[HOST_FORWARD\]\s+\d+\s+127\.0\.0\.1\s+(\d+)\s")
PROGRAM = "qemu-system-x86_64"

#: All that QEMU can emulate, but for what costs it most: page tables of a fifth level, and strings
#: that are moved byte by byte because the processor claims to be quick at that.
EMULATED_CPU = "max,la57=off,erms=off,fsrm=off"

#: Ends QEMU when the engine ends. QEMU cannot ask for that itself: giving up root undoes it.
GUARD = """
trap 'kill -KILL $machine' TERM
exec 3<&0
"$@" <&3 3<&- & machine=$!
wait $machine
"""
GUARDED = ["setpriv", "--pdeathsig", "TERM", "--", "sh", "-c", GUARD, "sh"]


class Machine:
    """Boots a disk from its own boot loader; QEMU ends with the thread that started it.

    The guest reaches nothing: its network has only the forwarded ssh port.
    What it writes to the disk stays in the given file. The console is kept in
    memory, so a guest cannot fill this host's disk with it.
    """

    def __init__(self, disk: Path, *, accelerator: str, memory_mib: int, cpus: int) -> None:
        self._console = bytearray()
        self._lock = threading.Lock()
        argv = [*GUARDED, *_arguments(disk, accelerator, memory_mib, cpus)]
        if not shutil.which(PROGRAM):
            package = DEBIAN_PACKAGES[PROGRAM]
            raise ToolMissing(f"{PROGRAM} is not installed; install it with: apt-get install {package}")
        self._process = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            cwd=disk.parent,
        )
        try:
            self._read()
            self._command("qmp_capabilities")
            self.port = self._forwarded_port()
        except BaseException:
            self.stop()
            raise

    @property
    def running(self) -> bool:
        """Whether the QEMU process is there."""
        return self._process.poll() is None

    def console(self) -> bytes:
        """What the guest wrote to its serial console, the last 4 MiB of it."""
        with contextlib.suppress(Unavailable):
            while text := self._command("ringbuf-read", device="console", size=65536, format="base64"):
                with self._lock:
                    self._console += base64.b64decode(text)
                    del self._console[:-CONSOLE_BYTES]
        return bytes(self._console)

    def stop(self) -> None:
        """End QEMU at once. Harmless when repeated."""
        end_process_group(self._process)
        for stream in (self._process.stdin, self._process.stdout):
            if stream:
                with contextlib.suppress(OSError):
                    stream.close()

    def _forwarded_port(self) -> int:
        shown = self._command("human-monitor-command", **{"command-line": "info usernet"})
        found = FORWARDED_PORT.search(str(shown))
        if not found:
            raise Unavailable("QEMU opened no port for ssh")
        return int(found[1])

    def _command(self, name: str, **arguments: Any) -> Any:
        """Send a QMP command and return its answer."""
        with self._lock:
            assert self._process.stdin is not None  # noqa: S101 -- told to mypy
            line = json.dumps({"execute": name, "arguments": arguments})
            try:
                self._process.stdin.write(line.encode() + b"\n")
                self._process.stdin.flush()
            except (OSError, ValueError):
                raise Unavailable("the machine has ended") from None
            while True:
                answer = self._read()
                if "return" in answer:
                    return answer["return"]
                if "error" in answer:
                    raise Unavailable(f"QEMU refused {name}: {answer['error'].get('desc')}")

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None  # noqa: S101 -- told to mypy
        try:
            line = self._process.stdout.readline()
        except ValueError:
            line = b""
        if not line:
            raise Unavailable("QEMU ended before the machine ran")
        message: dict[str, Any] = json.loads(line)
        return message


def _arguments(disk: Path, accelerator: str, memory_mib: int, cpus: int) -> Sequence[str]:
    accel, cpu = ("kvm", "host") if accelerator == "kvm" else ("tcg,thread=multi,tb-size=512", EMULATED_CPU)
    return [
        *(PROGRAM, "-nodefaults", "-display", "none", "-machine", "q35", "-accel", accel, "-cpu", cpu),
        *("-m", str(memory_mib), "-smp", str(cpus)),
        *("-sandbox", "on,obsolete=deny,spawn=deny,resourcecontrol=deny"),
        # Nothing of it has to survive a power cut: it is thrown away.
        *("-drive", f"file={disk},if=virtio,format=qcow2,cache=unsafe,discard=unmap"),
        *("-netdev", "user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:0-:22"),
        *("-device", "virtio-net-pci,netdev=net,romfile=", "-device", "virtio-rng-pci"),
        *("-chardev", f"ringbuf,id=console,size={CONSOLE_BYTES}", "-serial", "chardev:console"),
        *("-qmp", "stdio"),
        *_unprivileged(),
    ]


def _unprivileged() -> Sequence[str]:
    """Have QEMU give up root, once it has opened its files, for an id that owns nothing."""
    if os.geteuid() != 0:
        return []
    user, group = first_ids()
    return ["-runas", f"{user + ID_COUNT - 2}:{group + ID_COUNT - 2}"]
