"""`bin/demo`: take a real package through the engine and look whether all of it is true."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import time
from contextlib import AbstractContextManager, suppress
from pathlib import Path

import requests
from rich.console import Console
from rich.table import Table

from ci_utils.apt.mirror import Mirror
from ci_utils.clients.ticket_system import TicketSystemClient
from ci_utils.config import Config
from ci_utils.errors import CIError, NotFound
from cli.ticket import Ticket, read_ticket
from demo.engine import Engine, Home, command, open_home, running_engine
from demo.evidence import Finding, look
from demo.source import SigningKey, Upload, make_upload, throw_away_key

PACKAGE = "hello"
STEPS = 5


class Demo:
    """One run: its console and where it is."""

    def __init__(self, home: Home, *, keep: bool, apart: bool) -> None:
        self.console = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
        self.home = home
        self.keep = keep
        self.apart = apart
        self.config = Config.from_environment(
            {n: v for n, v in home.environment.items() if n.startswith("UCI_")}
        )
        self.number = home.next_run()
        self._started = time.monotonic()
        self._step = 0

    def say(self, text: str) -> None:
        """Begin a step."""
        self._step += 1
        elapsed = int(time.monotonic() - self._started)
        self.console.print(f"\n[{self._step}/{STEPS}] {text} (after {elapsed} s)", style="bold")

    def run(self) -> bool:
        """The whole demo; whether everything it claims is true."""
        with tempfile.TemporaryDirectory(prefix="uci-demo-") as scratch, throw_away_key() as key:
            upload = self._upload(Path(scratch), key)
            self.say("Make the base image, unless it is there from the last time")
            command(self.home.environment, "image", "base", "make")
            return self._land(upload, key)

    def _upload(self, directory: Path, key: SigningKey) -> Upload:
        self.say(f"Take the source of {PACKAGE} from this machine's mirror and sign a new version")
        mirror = Mirror(self.config.data_dir / "cache" / "apt", self.config.series, self.config.mirror)
        mirror.refresh()
        upload = make_upload(PACKAGE, f"+demo{self.number}", mirror=mirror, directory=directory, key=key)
        self.console.print(f"{upload.source} {upload.version} for {mirror.series}: {upload.changes.name}")
        return upload

    def _land(self, upload: Upload, key: SigningKey) -> bool:
        self.say("Start every service" if self.apart else "Start the engine")
        with self._engine() as engine:
            self.console.print(f"{engine.url}, data in {self.home.data_dir}")
            self.say("Send it in a ticket and follow that to its end")
            command(engine.environment, "uploader", "add", key.public_file)
            try:
                engine.ubuntu_ci(*self._ticket_options(upload), "--follow")
            finally:
                command(engine.environment, "uploader", "remove", key.fingerprint)
            ticket = _ticket_of(upload, engine.url)
            self.say("Look whether it is all true")
            findings = list(look(ticket, upload, url=engine.url, config=self.config))
            self._show(ticket, findings)
            if self.keep and self.apart:
                self._wait_for_interrupt(engine)
        if self.keep and not self.apart:
            self._tell_kept(engine)
        return all(finding.holds for finding in findings)

    def _engine(self) -> AbstractContextManager[Engine]:
        if not self.apart:
            return running_engine(self.home, keep=self.keep)
        from demo.apart import running_services  # noqa: PLC0415 -- needs servers, which others do without

        return running_services(self.home, self.console)

    def _ticket_options(self, upload: Upload) -> list[str | Path]:
        return [
            *("create_ticket", "-t", _title(upload), "-o", "demo@example.com"),
            *("-d", "A real package, end to end.", "-s", upload.changes, "-a", PACKAGE),
        ]

    def _show(self, ticket: Ticket, findings: list[Finding]) -> None:
        for finding in findings:
            self.console.print(f"{'✓' if finding.holds else '✗'} {finding.claim}", style="bold")
            for line in finding.seen.splitlines():
                self.console.print(f"    {line}")
        table = Table("step", "seconds", title="How long each step took", title_justify="left")
        for step in ticket.steps:
            if step.seconds is not None:
                table.add_row(step.name, f"{step.seconds:.1f}")
        self.console.print(table)
        self.console.print(f"{time.monotonic() - self._started:.0f} s in all")

    def _tell_kept(self, engine: Engine) -> None:
        self.console.print(f"\nThe engine runs on at {engine.url}", style="bold")
        self.console.print(f"  look at it:  .venv/bin/ubuntu-ci -u {engine.url} status")
        self.console.print(f"  end it:      kill {engine.process}")

    def _wait_for_interrupt(self, engine: Engine) -> None:
        self.console.print(f"\nThe services run on, {engine.url} is the ticket system", style="bold")
        self.console.print(f"  look at it:  .venv/bin/ubuntu-ci -u {engine.url} status")
        self.console.print("  end them:    Ctrl-C")
        with suppress(KeyboardInterrupt):
            signal.pause()


def _title(upload: Upload) -> str:
    return f"{upload.source} {upload.version}"


def _ticket_of(upload: Upload, url: str) -> Ticket:
    """The ticket of this run; its title is like no other's."""
    client = TicketSystemClient(url)
    for ticket in client.tickets(title=_title(upload)):
        return read_ticket(client.ticket(int(ticket["id"])))
    raise NotFound("the engine has no ticket of this upload; ubuntu-ci says why above")


def _default_directory() -> Path:
    if os.geteuid() == 0:
        return Path("/var/cache/uci-engine-demo")
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "uci-engine-demo"


def main() -> int:
    """Run the demo; 0 only if everything it shows is true."""
    parser = argparse.ArgumentParser(prog="bin/demo", description="One real package, end to end.")
    parser.add_argument("--keep", action="store_true", help="leave the engine running at the end")
    parser.add_argument(
        "--distributed",
        action="store_true",
        help="each service as processes of its own, on a PostgreSQL and a RabbitMQ that it starts",
    )
    parser.add_argument(
        "--directory", type=Path, default=_default_directory(), help="where it keeps its data (%(default)s)"
    )
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        home = open_home(arguments.directory.absolute(), own_users=not arguments.keep)
        return 0 if Demo(home, keep=arguments.keep, apart=arguments.distributed).run() else 1
    except (CIError, requests.RequestException) as error:
        print(f"demo: {error}", file=sys.stderr)  # noqa: T201 -- a command line's answer
        if output := getattr(error, "output", ""):
            print(output, file=sys.stderr)  # noqa: T201 -- a command line's answer
        return 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


if __name__ == "__main__":
    sys.exit(main())
