"""The engine's services as processes of their own, on servers that run already.

Each service has a process that serves, one or more that work, a database and
an address of its own. Files are in one data directory where no other store is
set. What a process prints is kept in a log of its own.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg2

from ci_utils.clients.base import ServiceClient
from ci_utils.clients.ticket_system import TicketSystemClient
from tests.end_to_end.engine import turns
from tests.harness.processes import DIES_WITH_US, free_port

VENV_BIN = Path(sys.executable).parent
PROGRAM: Sequence[str | Path] = (VENV_BIN / "uci-engine",)
READY_SECONDS = 300
STOP_SECONDS = 180
SERVICES = (
    "ticket_system",
    "lander",
    "ppa_assigner",
    "branch_source_builder",
    "image_builder",
    "test_runner",
)
#: People's pages: they only ask the others, and not every test needs them.
PAGES = "web_ui"
READY_LINES = (b"Working\n", b"Serving on ")


@dataclass
class Unit:
    """One process of a service: `arguments` of the program, and what it prints to `log`."""

    service: str
    arguments: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    program: Sequence[str | Path] = PROGRAM
    process: subprocess.Popen[bytes] | None = None
    _begin: int = 0

    def start(self) -> None:
        """Start it; `wait` waits until it does what it is for."""
        self._begin = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*DIES_WITH_US, *self.program, *self.arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=dict(self.environment),
                start_new_session=True,
            )

    def wait(self) -> None:
        """Wait until it serves or works."""
        deadline = time.monotonic() + READY_SECONDS
        while not self._is_ready():
            assert self.process is not None
            ended = self.process.poll() is not None
            assert not ended, f"{self.service} {self.arguments[0]} ended:\n{self.printed()[-4000:]}"
            assert time.monotonic() < deadline, f"{self.service} is not ready:\n{self.printed()[-4000:]}"
            time.sleep(0.1)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End it; its exit status, 0 if it did not run."""
        self.ask_to_stop(number)
        return self.stopped()

    def ask_to_stop(self, number: int = signal.SIGTERM) -> None:
        """Send it a signal, if it runs; SIGKILL goes to whatever it has started as well."""
        if self.process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            if number == signal.SIGKILL:
                os.killpg(self.process.pid, number)
            else:
                self.process.send_signal(number)

    def stopped(self) -> int:
        """Wait until it has ended; its exit status, 0 if it did not run."""
        if self.process is None:
            return 0
        process, self.process = self.process, None
        try:
            return process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise

    def printed(self) -> str:
        """All that it has printed."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def _is_ready(self) -> bool:
        return any(line in self.log.read_bytes()[self._begin :] for line in READY_LINES)


@dataclass
class Stack:
    """All services apart. `settings` are those of every process, beside what tells the services apart."""

    directory: Path
    postgresql: str
    broker: str
    settings: Mapping[str, str] = field(default_factory=dict)
    program: Sequence[str | Path] = PROGRAM
    units: list[Unit] = field(default_factory=list)
    secret_key: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    service_token: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    operator_token: str = ""
    _ports: dict[str, int] = field(default_factory=lambda: {name: free_port() for name in (*SERVICES, PAGES)})

    @property
    def data_dir(self) -> Path:
        return self.directory / "data"

    def url(self, service: str = "ticket_system") -> str:
        """Address of a service."""
        return f"http://127.0.0.1:{self._ports[service]}"

    def database(self, service: str) -> str:
        """URL of the database that a service has for itself."""
        return urlunsplit(urlsplit(self.postgresql)._replace(path=f"/{service}"))

    def environment(self, service: str) -> dict[str, str]:
        """What the processes of a service run with."""
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        return {
            **kept,
            **{f"UCI_{name.upper()}_URL": self.url(name) for name in SERVICES},
            "XDG_CONFIG_HOME": str(self.directory / "config"),
            "PYTHONUNBUFFERED": "1",
            "UCI_SERVICES": service,
            "UCI_LISTEN": f"127.0.0.1:{self._ports[service]}",
            "UCI_PUBLIC_URL": self.url(),
            "UCI_DATA_DIR": str(self.data_dir),
            "UCI_DATABASE": self.database(service),
            "UCI_BROKER": self.broker,
            "UCI_SECRET_KEY": self.secret_key,
            "UCI_SERVICE_TOKEN": self.service_token,
            "UCI_WEB_PROCESSES": "1",
            "UCI_START_TIMEOUT": "300",
            **self.settings,
        }

    def prepare(self, services: Iterable[str] = SERVICES) -> None:
        """Make the databases, migrate those of `services`, and make a token for the operator."""
        self.data_dir.mkdir(mode=0o755, parents=True, exist_ok=True)
        _make_databases(self.postgresql, (*SERVICES, PAGES))
        self._migrate(services)
        made = self.command("token", "create", "operator", "--scope", "operate")
        self.operator_token = made.stdout.splitlines()[-1]

    def start(self, services: Iterable[str] = SERVICES) -> None:
        """Start what serves and one worker of each service, and wait until all are ready."""
        services = tuple(services)
        started = [self.unit(service, "serve") for service in services]
        started += [self.unit(service, "worker", service) for service in services]
        for unit in started:
            unit.wait()

    def start_pages(self) -> None:
        """Start what serves the pages, and wait until it is ready."""
        self._migrate([PAGES])
        self.unit(PAGES, "serve").wait()

    def unit(self, service: str, *arguments: str) -> Unit:
        """Start one more process of a service; it is not waited for."""
        number = len(self.units)
        log = self.directory / f"{number:02}-{service}-{arguments[0]}.log"
        unit = Unit(service, arguments, self.environment(service), log, self.program)
        self.units.append(unit)
        unit.start()
        return unit

    def _migrate(self, services: Iterable[str]) -> None:
        for unit in [self.unit(service, "migrate") for service in services]:
            assert unit.process is not None
            assert unit.process.wait(READY_SECONDS) == 0, unit.printed()
            unit.process = None

    def running(self, service: str, kind: str) -> list[Unit]:
        """The processes of a service that were started and not stopped; `kind` is serve or worker."""
        return [u for u in self.units if u.process and (u.service, u.arguments[0]) == (service, kind)]

    def stop(self) -> list[int]:
        """End all processes; their exit statuses."""
        for unit in self.units:
            unit.ask_to_stop()
        return [unit.stopped() for unit in self.units]

    def command(
        self, *arguments: str | Path, service: str = "ticket_system", check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run an operator's command as a service's own."""
        done = subprocess.run(
            [VENV_BIN / "uci-engine", *arguments],
            env=self.environment(service),
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    def ubuntu_ci(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """Run the users' command line against the ticket system."""
        return subprocess.run(
            [VENV_BIN / "ubuntu-ci", "-u", self.url(), *arguments],
            env={**self.environment("ticket_system"), "NO_COLOR": "1", "UCI_TOKEN": self.operator_token},
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )

    @property
    def tickets(self) -> TicketSystemClient:
        """The ticket system, as the operator."""
        return TicketSystemClient(self.url(), self.operator_token)

    def client(self, service: str) -> ServiceClient:
        """Any service, as the others talk to it."""
        return ServiceClient(self.url(service), self.service_token)

    def wait_for_end(self, ticket_id: int, seconds: float = 600) -> dict[str, Any]:
        """The whole ticket once it has ended."""
        for _ in turns(seconds, pause=0.3):
            ticket = self.tickets.ticket(ticket_id)
            if ticket["ended_at"]:
                return ticket
        raise AssertionError(f"ticket {ticket_id} has not ended: {ticket}")

    def logs(self) -> dict[str, str]:
        """What each process has printed, by the name of its log."""
        return {unit.log.name: unit.printed() for unit in self.units}


@contextlib.contextmanager
def services_apart(stack: Stack, *, show: Callable[[str], None] = print) -> Iterator[Stack]:
    """All services of a stack, started; ended with the context, which then shows the ends of their logs."""
    try:
        stack.prepare()
        stack.start()
        yield stack
    finally:
        for unit in stack.units:
            with contextlib.suppress(subprocess.TimeoutExpired):
                unit.stop()
        for name, text in stack.logs().items():
            show(f"== {name}\n{text[-3000:]}")  # pytest prints that if the test fails


def _make_databases(server: str, names: Iterable[str]) -> None:
    connection = psycopg2.connect(server)
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            for name in names:
                cursor.execute(f"DROP DATABASE IF EXISTS {name}")
                cursor.execute(f"CREATE DATABASE {name}")
    finally:
        connection.close()
