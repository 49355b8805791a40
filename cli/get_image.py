"""`ubuntu-ci get_image`: fetch the image that a ticket produced."""

from __future__ import annotations

import argparse
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ci_utils.clients.ticket_system import TicketSystemClient
from ci_utils.errors import InvalidRequest, NotFound
from ci_utils.source_package.names import valid_file_name
from cli.exit_codes import Exit
from cli.fetching import fetch
from cli.terminal import Terminal
from cli.ticket import Ticket, read_ticket


def run(arguments: argparse.Namespace, client: TicketSystemClient, terminal: Terminal) -> Exit:
    """Download the image into a file, complete or not there; in a directory under its own name.

    `-o -` prints it.
    """
    ticket = read_ticket(client.ticket(arguments.ticket))
    url = _image_url(ticket)
    if str(arguments.output) == "-":
        return _print(client, url, terminal, as_json=arguments.json)
    target: Path = arguments.output or Path()
    if target.is_dir():
        target /= _own_name(ticket, url)
    fetch(client, url, target, terminal)
    if arguments.json:
        terminal.data({"file": str(target), "size": target.stat().st_size, "url": url})
    else:
        terminal.result(str(target))
    return Exit.OK


def _print(client: TicketSystemClient, url: str, terminal: Terminal, *, as_json: bool) -> Exit:
    if as_json or terminal.out.is_terminal:
        raise InvalidRequest("-o - prints the image alone, and not to a terminal; name a file")
    for piece in client.content(url):
        terminal.raw(piece)
    return Exit.OK


def _image_url(ticket: Ticket) -> str:
    urls = [artifact.url for artifact in ticket.artifacts if artifact.type == "IMAGE"]
    if not urls:
        raise NotFound(f"ticket {ticket.id} has no image; its state is {ticket.state}")
    return urls[-1]


def _own_name(ticket: Ticket, url: str) -> str:
    """The name that the URL ends with if it is one of an image, else one made of the ticket's number."""
    name = unquote(urlsplit(url).path.rpartition("/")[2])
    named = valid_file_name(name) and name.endswith((".qcow2", ".img", ".raw"))
    return name if named else f"ticket.{ticket.id}.qcow2"
