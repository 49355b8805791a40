"""Follows a ticket until it ends, and says how long each step took."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Protocol

from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from ci_utils.clients.ticket_system import TicketSystemClient
from ci_utils.errors import CIError
from cli.exit_codes import Exit
from cli.terminal import Terminal, printable
from cli.ticket import COMPLETE, FAILED, StepTime, Ticket, read_ticket

POLL_SECONDS = 1.0
#: How long the ticket system may be away before following ends.
PATIENCE_SECONDS = 300.0


class Display(Protocol):
    """Shows a ticket as it is now."""

    def show(self, ticket: Ticket) -> None: ...


def follow(client: TicketSystemClient, ticket_id: int, terminal: Terminal) -> Exit:
    """Show a ticket until it ends; the exit status tells how."""
    try:
        with _display(terminal) as display:
            for ticket in _until_ended(client, ticket_id, terminal):
                display.show(ticket)
    except KeyboardInterrupt:
        terminal.say(f"ticket {ticket_id} goes on; see: ubuntu-ci status {ticket_id}")
        raise
    _tell_end(ticket, terminal)
    if ticket.cancelled:
        return Exit.TICKET_CANCELLED
    return Exit.OK if ticket.step == COMPLETE else Exit.TICKET_FAILED


def duration(seconds: float) -> str:
    """Seconds as people say them: 8 s, 2 min 5 s, 1 h 3 min."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def _until_ended(client: TicketSystemClient, ticket_id: int, terminal: Terminal) -> Iterator[Ticket]:
    """The ticket again and again, the last time when it has ended."""
    answered_at = time.monotonic()
    away = False
    while True:
        try:
            ticket = read_ticket(client.ticket(ticket_id))
        except CIError as error:
            if not error.retryable or time.monotonic() - answered_at > PATIENCE_SECONDS:
                raise
            if not away:
                terminal.say(f"{error.message}; the ticket goes on, asking again")
            away = True
        else:
            answered_at, away = time.monotonic(), False
            yield ticket
            if ticket.ended:
                return
        time.sleep(POLL_SECONDS)


@contextmanager
def _display(terminal: Terminal) -> Iterator[Display]:
    if not terminal.live:
        yield _Lines(terminal)
        return
    with Live(console=terminal.out, refresh_per_second=8) as live:
        yield _Table(live)


class _Lines:
    """A line whenever something changed: for logs and pipes."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._last = ("", "")

    def show(self, ticket: Ticket) -> None:
        current = (ticket.step, ticket.message)
        if current != self._last and not ticket.ended:
            text = f": {ticket.message}" if ticket.message else ""
            self._terminal.say(f"{ticket.step_name}{text}")
        self._last = current


class _Table:
    """The steps so far, the present one moving: for terminals."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._spinner = Spinner("dots")

    def show(self, ticket: Ticket) -> None:
        table = Table.grid(padding=(0, 2))
        for entry in ticket.steps:
            if entry.step in (FAILED, COMPLETE):
                continue
            running = entry.seconds is None
            failed = entry.step == ticket.failed_step
            table.add_row(
                self._spinner
                if running
                else Text("✗" if failed else "✓", style="red" if failed else "green"),
                Text(entry.name, style="bold" if running else ""),
                Text(duration(_seconds(entry)), style="dim"),
                Text(printable(ticket.message) if running else ""),
            )
        self._live.update(table)


def _seconds(entry: StepTime) -> float:
    if entry.seconds is not None:
        return entry.seconds
    return (datetime.now(UTC) - entry.began_at).total_seconds()


def _tell_end(ticket: Ticket, terminal: Terminal) -> None:
    if not terminal.live:
        for entry in ticket.steps:
            if entry.seconds is not None:
                terminal.say(f"  {entry.name:<20}{duration(entry.seconds):>14}")
    text = f": {ticket.message}" if ticket.message else ""
    terminal.result(f"ticket {ticket.id} {ticket.state}{text}")
    if ticket.log_url:
        terminal.result(f"log: {ticket.log_url}")
