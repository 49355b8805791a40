"""`ubuntu-ci get_image`: fetch the image that a ticket produced."""

from __future__ import annotations

import argparse
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ci_utils.clients.ticket_system import TicketSystemClient
from ci_utils.errors import CIError, NotFound
from ci_utils.source_package.names import valid_file_name
from cli.exit_codes import Exit
from cli.terminal import Terminal
from cli.ticket import Ticket, read_ticket


def run(arguments: argparse.Namespace, client: TicketSystemClient, terminal: Terminal) -> Exit:
    """Download the image into a file, which appears when it is complete."""
    ticket = read_ticket(client.ticket(arguments.ticket))
    url = _image_url(ticket)
    target: Path = arguments.output or Path(_own_name(ticket, url))
    part = target.with_name(f"{target.name}.part")
    try:
        with terminal.transfer(target.name, "fetching") as progress:
            client.download(url, part, progress)
        part.replace(target)
    except OSError as error:
        raise CIError(f"cannot write {target}: {error.strerror}") from None
    finally:
        part.unlink(missing_ok=True)
    terminal.result(str(target))
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
