"""`ubuntu-ci update_ticket`: change what a ticket says, and queue one that waits."""

from __future__ import annotations

import argparse

from ci_utils.clients.ticket_system import TicketSystemClient
from ci_utils.errors import InvalidRequest
from cli.exit_codes import Exit
from cli.terminal import Terminal


def run(arguments: argparse.Namespace, client: TicketSystemClient, terminal: Terminal) -> Exit:
    """Change the given fields of a ticket, then queue it if asked to."""
    given = {
        "title": arguments.title,
        "description": arguments.description,
        "bug_id": arguments.bug,
        "owner": arguments.owner,
    }
    fields = {name: value for name, value in given.items() if value is not None}
    if not fields and not arguments.queue:
        raise InvalidRequest("there is nothing to change; give -t, -d, -b, -o or --queue")
    if fields:
        client.update_ticket(arguments.ticket, **fields)
        names = ", ".join(name.removesuffix("_id") for name in fields)
        terminal.say(f"ticket {arguments.ticket} has a new {names}")
    if arguments.queue:
        client.queue(arguments.ticket)
        terminal.say(f"ticket {arguments.ticket} is queued")
    return Exit.OK
