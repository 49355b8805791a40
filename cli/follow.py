"""Follows a ticket until it ends, and says how long each step took."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from math import inf
from typing import Protocol

from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from ci_utils.clients.ticket_system import TicketSystemClient
from ci_utils.durations import duration
from ci_utils.errors import CIError, TimedOut, Untrusted
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
    with _display(terminal) as display:
        for ticket in until_ended(client, ticket_id, terminal):
            display.show(ticket)
    tell_end(ticket, terminal)
    return exit_of_end(ticket)


def exit_of_end(ticket: Ticket) -> Exit:
    """The exit status for a ticket that has ended."""
    if ticket.cancelled:
        return Exit.TICKET_CANCELLED
    return Exit.OK if ticket.step == COMPLETE else Exit.TICKET_FAILED


def until_ended(
    client: TicketSystemClient, ticket_id: int, terminal: Terminal, *, timeout: float = inf
) -> Iterator[Ticket]:
    """The ticket again and again, the last time when it has ended; `TimedOut` after `timeout` seconds.

    A ticket system that is away is waited for.
    """
    deadline = time.monotonic() + timeout
    answered_at = time.monotonic()
    away = False
    try:
        while True:
            try:
                ticket = read_ticket(client.ticket(ticket_id))
            except CIError as error:
                hopeless = isinstance(error, Untrusted) or not error.retryable
                if hopeless or time.monotonic() - answered_at > PATIENCE_SECONDS:
                    raise
                if not away:
                    terminal.say(f"{error.message}; the ticket goes on, asking again")
                away = True
            else:
                answered_at, away = time.monotonic(), False
                yield ticket
                if ticket.ended:
                    return
            _pause(ticket_id, deadline)
    except KeyboardInterrupt:
        terminal.say(f"ticket {ticket_id} goes on; see: ubuntu-ci status {ticket_id}")
        raise


def _pause(ticket_id: int, deadline: float) -> None:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimedOut(
            f"ticket {ticket_id} has not ended yet and goes on; wait longer with: ubuntu-ci wait {ticket_id}"
        )
    time.sleep(min(POLL_SECONDS, left))


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


def tell_end(ticket: Ticket, terminal: Terminal) -> None:
    """Say how a ticket ended, how long each step took, and what to look at if it failed."""
    if not terminal.live:
        for entry in ticket.steps:
            if entry.seconds is not None:
                terminal.say(f"  {entry.name:<20}{duration(entry.seconds):>14}")
    text = f": {ticket.message}" if ticket.message else ""
    with terminal.last_words():
        terminal.result(f"ticket {ticket.id} {ticket.state}{text}")
        if ticket.log_url:
            terminal.result(f"log: {ticket.log_url}")
    if ticket.step == FAILED and not ticket.cancelled:
        terminal.say(f"see: ubuntu-ci logs {ticket.id} and ubuntu-ci results {ticket.id}")
