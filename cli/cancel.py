"""`ubuntu-ci cancel`: stop a ticket."""

from __future__ import annotations

import argparse

from ci_utils.clients.ticket_system import TicketSystemClient
from cli.exit_codes import Exit
from cli.terminal import Terminal


def run(arguments: argparse.Namespace, client: TicketSystemClient, terminal: Terminal) -> Exit:
    """Ask for the end of a ticket; what it is doing may take a moment to stop."""
    client.cancel(arguments.ticket)
    terminal.say(f"ticket {arguments.ticket} is being cancelled; see: ubuntu-ci status {arguments.ticket}")
    return Exit.OK
