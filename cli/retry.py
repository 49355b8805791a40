"""`ubuntu-ci retry`: send a ticket again that failed or was cancelled."""

from __future__ import annotations

import argparse

from ci_utils.clients.ticket_system import TicketSystemClient
from cli.exit_codes import Exit
from cli.terminal import Terminal
from cli.watch import watch


def run(arguments: argparse.Namespace, client: TicketSystemClient, terminal: Terminal) -> Exit:
    """Queue a copy of the ticket; the engine has its files."""
    retry = client.retry(arguments.ticket)
    number = int(retry["id"])
    if arguments.json:
        terminal.data({"id": number, "retry_of": arguments.ticket})
    else:
        terminal.result(f"ticket {number} repeats ticket {arguments.ticket}; see: ubuntu-ci watch {number}")
    return watch(client, number, terminal, as_json=arguments.json) if arguments.follow else Exit.OK
