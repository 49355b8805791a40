"""A real engine as a process of its own, as a user starts it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ci_utils.clients.ticket_system import TicketSystemClient
from ci_utils.errors import Unavailable

VENV_BIN = Path(sys.executable).parent
READY_SECONDS = 180
#: Many times what it takes: a machine whose disk stalls ends an engine late.
STOP_SECONDS = 300
SERVING = re.compile(r"^Serving on (http://\S+)$", re.MULTILINE)


@dataclass
class Engine:
    """`uci-engine run` on a data directory; `log` holds what it prints.

    `program` is what runs the engine.
    """

    data_dir: Path
    settings: Mapping[str, str]
    log: Path
    process: subprocess.Popen[bytes] | None = None
    url: str = ""
    program: Sequence[str | Path] = (VENV_BIN / "uci-engine",)

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        config = str(self.data_dir.parent / "config")
        return {**kept, "XDG_CONFIG_HOME": config, "UCI_DATA_DIR": str(self.data_dir), **self.settings}

    def start(self) -> None:
        """Start it, again on the address it had, and wait for the line that says it serves."""
        address = self.url.removeprefix("http://") or "127.0.0.1:0"
        begin = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*self.program, "run", "--listen", address],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self.environment,
            )
        for _ in turns(READY_SECONDS, pause=0.05):
            if self.process.poll() is not None:
                break
            if match := SERVING.search(self.log.read_text(errors="replace")[begin:]):
                self.url = match.group(1)
                return
        self.process.kill()
        raise AssertionError(f"the engine does not serve:\n{self.log.read_text(errors='replace')[-4000:]}")

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End it by a signal; returns its exit status."""
        if self.process is None:
            return 0
        self.process.send_signal(number)
        status = self.process.wait(STOP_SECONDS)
        self.process = None
        return status

    def command(self, *arguments: str | Path, timeout: float = 300) -> subprocess.CompletedProcess[str]:
        """Run an operator's command on the engine's data directory."""
        return subprocess.run(
            [VENV_BIN / "uci-engine", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def ubuntu_ci(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """Run the command line of users against it."""
        return subprocess.run(
            [VENV_BIN / "ubuntu-ci", "-u", self.url, *arguments],
            env={**self.environment, "NO_COLOR": "1"},
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )

    @property
    def client(self) -> TicketSystemClient:
        """A client with the local operator's token."""
        return TicketSystemClient(self.url, (self.data_dir / "local-token").read_text().strip())

    def wait_for_end(self, ticket_id: int, seconds: float = 600) -> dict[str, Any]:
        """The whole ticket once it has ended."""
        found: object = None
        for _ in turns(seconds, pause=0.5):
            try:
                found = ticket = self.client.ticket(ticket_id)
            except Unavailable as error:  # an answer that a stalled disk holds up is asked for again
                found = error
                continue
            if ticket["current_workflow_step"] in ("999", "1000"):
                return ticket
        raise AssertionError(f"ticket {ticket_id} has not ended: {found}")


@contextmanager
def running_engine(directory: Path, **settings: str) -> Iterator[Engine]:
    """An engine on a data directory below `directory`, ended with the context."""
    data_dir = directory / "data"
    data_dir.mkdir(mode=0o755, parents=True, exist_ok=True)
    engine = Engine(data_dir, settings, directory / "engine.log")
    try:
        engine.start()
        yield engine
    finally:
        engine.stop()


def until(condition: Callable[[], object], seconds: float = 180) -> None:
    """Wait until `condition()` holds, for so long on an idle machine."""
    assert any(condition() for _ in turns(seconds, pause=0.2)), "it did not happen in time"


def turns(seconds: float, *, pause: float) -> Iterator[None]:
    """Turns of waiting: for so long on a machine that has nothing else to do, longer on a busy one."""
    cpus = len(os.sched_getaffinity(0))
    while seconds > 0:
        yield
        time.sleep(pause)
        seconds -= pause / max(1, os.getloadavg()[0] / cpus)
