"""`ubuntu-ci wait`: come back when a ticket has ended."""

from __future__ import annotations

import argparse
from collections import deque

from ci_utils.clients.ticket_system import TicketSystemClient
from cli.exit_codes import Exit
from cli.follow import exit_of_end, until_ended
from cli.terminal import Terminal


def run(arguments: argparse.Namespace, client: TicketSystemClient, terminal: Terminal) -> Exit:
    """Wait for the end and say it in one line; `TimedOut` if it does not come in time."""
    polled = until_ended(client, arguments.ticket, terminal, timeout=arguments.timeout)
    (ticket,) = deque(polled, maxlen=1)
    with terminal.last_words():
        if arguments.json:
            terminal.data(ticket.summary)
        else:
            text = f": {ticket.message}" if ticket.message else ""
            terminal.result(f"ticket {ticket.id} {ticket.state}{text}")
    return exit_of_end(ticket)
