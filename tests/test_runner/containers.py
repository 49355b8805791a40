"""A machine without a boot: a `Compute` whose instances are containers with a real ssh server.

Quick, and real where the test runner touches it: ssh, autopkgtest, dpkg. The
images are directories of root file systems.
"""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ci_utils.commands import end_process_group, run
from ci_utils.compute.port import Compute, Instance, TestbedNeeds
from ci_utils.sandbox.sandbox import Bind, Overlay, Sandbox, SandboxProcess
from ci_utils.sandbox.trees import remove_tree, writable_directory

SSHD_CONFIG = """\
HostKey /etc/ssh/test_host_key
AuthorizedKeysFile /etc/ssh/test_authorized_keys
PermitRootLogin yes
StrictModes no
UsePAM no
"""
PREPARE = """
set -e
mkdir -p /run/sshd
cp /run/keys/host /etc/ssh/test_host_key
chmod 600 /etc/ssh/test_host_key
cp /run/keys/identity.pub /etc/ssh/test_authorized_keys
useradd --create-home --shell /bin/bash tester
cp /run/keys/sshd_config /etc/ssh/test_sshd_config
"""


class Container(Instance):
    """One container; every connection finds the same file system."""

    user = "root"
    ordinary_user = "tester"
    runs_on = "container"

    def __init__(self, root: Path, identity: Path, port: int) -> None:
        self.root = root
        self.host = "127.0.0.1"
        self.port = port
        self.identity = identity

    def console(self) -> bytes:
        return b"a container has no console\n"

    def delete(self) -> None:
        remove_tree(self.root)


class ContainerCompute(Compute):
    """Boots nothing, and remembers what was asked for."""

    def __init__(self, image: Path, directory: Path) -> None:
        self._image = image
        self._directory = directory
        self.needs: list[TestbedNeeds] = []
        self.swept: list[str] = []

    def check(self) -> None:
        pass

    @contextmanager
    def boot(
        self,
        image_id: str,
        *,
        name: str,
        needs: TestbedNeeds = TestbedNeeds(),  # noqa: B008 -- as the port has it; it is frozen
        timeout: float,
        cancelled: Callable[[], bool],
    ) -> Iterator[Instance]:
        self.needs.append(needs)
        place = self._directory / name
        keys = place / "keys"
        keys.mkdir(parents=True)
        for key in ("host", "identity"):
            run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", keys / key])
        (keys / "host").chmod(0o644)
        (keys / "sshd_config").write_text(SSHD_CONFIG)
        upper = writable_directory(place / "upper")
        sandbox = Sandbox(
            Overlay([self._image], upper), binds=[Bind(keys, "/run/keys")], hostname="container"
        )
        try:
            with (place / "log").open("wb") as log:
                assert sandbox.run(["sh", "-c", PREPARE], log=log, timeout=300) == 0
                with _serve(sandbox, log) as port:
                    yield Container(place, keys / "identity", port)
        finally:
            remove_tree(place)

    def sweep(self, prefix: str) -> list[str]:
        self.swept.append(prefix)
        return []


@contextmanager
def _serve(sandbox: Sandbox, log) -> Iterator[int]:
    """Give every connection to a fresh sshd in the container; none of them is left at the end."""
    started: list[SandboxProcess] = []

    class Connection(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            argv = ["/usr/sbin/sshd", "-i", "-e", "-f", "/etc/ssh/test_sshd_config"]
            with sandbox.popen(argv, stdin=self.request, stdout=self.request, stderr=log) as process:
                started.append(process)
                process.wait()

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = True

    with Server(("127.0.0.1", 0), Connection) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()
            for process in started:
                if process.poll() is None:
                    end_process_group(process)
