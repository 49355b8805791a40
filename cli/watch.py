"""`ubuntu-ci watch`: show a ticket until it ends."""

from __future__ import annotations

import argparse

from ci_utils.clients.ticket_system import TicketSystemClient
from cli.exit_codes import Exit
from cli.follow import exit_of_end, follow, until_ended
from cli.terminal import Terminal


def run(arguments: argparse.Namespace, client: TicketSystemClient, terminal: Terminal) -> Exit:
    """Show a ticket until it ends."""
    return watch(client, arguments.ticket, terminal, as_json=arguments.json)


def watch(client: TicketSystemClient, ticket_id: int, terminal: Terminal, *, as_json: bool) -> Exit:
    """Follow a ticket; as JSON a line for every change of step, status or message."""
    if not as_json:
        return follow(client, ticket_id, terminal)
    told: dict[str, object] = {}
    for ticket in until_ended(client, ticket_id, terminal):
        if ticket.summary != told:
            terminal.data(ticket.summary)
            terminal.flush()
        told, newest = ticket.summary, ticket
    return exit_of_end(newest)
