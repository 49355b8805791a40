"""What a host has that no program of an uploader may reach, for the probe to look for."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

PROBE = Path(__file__).with_name("probe.pl")
SECRET = "of the engine alone"
LINE = re.compile(r"^PROBE (\w+): (.*)$", re.MULTILINE)

#: What no program may, whoever it is.
ATTEMPTS = (
    "engine_port", "network", "abstract_socket", "socket_file", "key_of_the_engine",
    "file_of_another_ticket", "shadow_of_the_host", "write_outside", "processes_of_the_host", "links_of_proc",
    "files_by_handle", "disk_of_the_host", "kernel_settings", "kernel_messages", "kernel_module",
    "source_in_the_archive",
)  # fmt: skip
#: What a build may not, and a maintainer script only within its namespaces.
OF_A_BUILD = (
    "user_namespace", "mount", "trace", "become_root", "capabilities", "set_user_id_programs",
)  # fmt: skip
OF_AN_IMAGE = ("out_of_chroot",)
#: What whoever runs the tests may: without that, "refused" would prove nothing.
ALLOWED_OUTSIDE = (
    "engine_port", "abstract_socket", "socket_file", "key_of_the_engine", "file_of_another_ticket",
    "shadow_of_the_host", "write_outside", "processes_of_the_host", "links_of_proc",
)  # fmt: skip


@dataclass(frozen=True)
class Target:
    """A data directory that everybody may read and write, with sockets and a process beside it."""

    data: Path
    port: int
    abstract: str
    process: str

    def probe(self, attempts: Sequence[str]) -> str:
        """The probe as a shell script that tries these."""
        shadow, disk = Path("/etc/shadow").stat(), self.data.stat().st_dev
        at = {
            "port": self.port,
            "abstract": self.abstract,
            "socket": str(self.data / "socket"),
            "data": str(self.data),
            "secret_text": SECRET,
            "shadow": f"{shadow.st_dev}:{shadow.st_ino}",
            "process": self.process,
            "disk": f"{os.major(disk)}:{os.minor(disk)}",
            "mounts": "/ /run/source /run/results /run/uci-engine/debs",
        }
        facts = ", ".join(f"{name} => {json.dumps(str(value))}" for name, value in at.items())
        head = f"our %at = ({facts}); our @attempts = qw({' '.join(attempts)});"
        return f"perl - <<'END-OF-PROBE'\n{head}\n{PROBE.read_text()}\nEND-OF-PROBE\n"


@contextmanager
def target() -> Iterator[Target]:
    """A host with something to find; no permission of a file is in the way."""
    with ExitStack() as stack:
        data = Path(tempfile.mkdtemp(prefix="uci-isolation-", dir="/var/tmp"))
        stack.callback(shutil.rmtree, data)
        data.chmod(0o777)
        other = data / "data-store" / "ticket.7" / "sources"
        other.mkdir(parents=True)
        for path in (data / "secret-key", other / "hello.dsc"):
            path.write_text(SECRET)
        listening = socket.create_server(("127.0.0.1", 0))
        stack.enter_context(listening)
        abstract = f"uci-{secrets.token_hex(4)}"
        for address in (f"\0{abstract}", str(data / "socket")):
            named = stack.enter_context(socket.socket(socket.AF_UNIX))
            named.bind(address)
            named.listen()
        (data / "socket").chmod(0o777)
        process = f"7{secrets.randbelow(10**8):08}"
        sleeping = stack.enter_context(subprocess.Popen(["sleep", process]))
        stack.callback(sleeping.kill)
        yield Target(data, listening.getsockname()[1], abstract, process)
        assert not (data / "written").exists()


def outcomes(text: str) -> dict[str, str]:
    """What the probe said of each attempt."""
    return {name: outcome.strip() for name, outcome in LINE.findall(text)}
