"""`ubuntu-ci status`: all tickets, or one with everything about it."""

from __future__ import annotations

import argparse

from ci_utils.clients.ticket_system import TicketSystemClient
from ci_utils.durations import duration
from cli.exit_codes import Exit
from cli.terminal import Terminal
from cli.ticket import Ticket, read_ticket

COLUMNS = "{:>6}  {:<20}  {:<30}  {}"


def run(arguments: argparse.Namespace, client: TicketSystemClient, terminal: Terminal) -> Exit:
    """Print the state of one ticket or of all, newest first."""
    if arguments.ticket is None:
        _show_all(client, terminal, as_json=arguments.json)
        return Exit.OK
    data = client.ticket(arguments.ticket)
    if arguments.json:
        terminal.data(data)
    else:
        _show_one(read_ticket(data), terminal)
    return Exit.OK


def _show_all(client: TicketSystemClient, terminal: Terminal, *, as_json: bool) -> None:
    if as_json:
        terminal.data(list(client.tickets()))
        return
    for number, data in enumerate(client.tickets()):
        if number == 0:
            terminal.say(COLUMNS.format("ID", "STATE", "OWNER", "TITLE"))
        ticket = read_ticket(data)
        terminal.result(COLUMNS.format(ticket.id, ticket.state, ticket.owner, ticket.title))


def _show_one(ticket: Ticket, terminal: Terminal) -> None:
    rows = [
        ("ticket", f"{ticket.id}  {ticket.title}"),
        ("owner", ticket.owner),
        ("state", ticket.state),
        ("message", ticket.message),
        ("log", ticket.log_url),
        *(("source", source) for source in ticket.sources),
        *(
            ("took", f"{entry.name} {duration(entry.seconds)}")
            for entry in ticket.steps
            if entry.seconds is not None
        ),
        *((artifact.type.lower(), artifact.url) for artifact in ticket.artifacts if artifact.type != "SPU"),
    ]
    for name, value in rows:
        if value:
            terminal.result(f"{name + ':':<10}{value}")
