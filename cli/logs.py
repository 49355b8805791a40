"""`ubuntu-ci logs`: what the stages of a ticket printed."""

from __future__ import annotations

import argparse
import codecs
import re
from collections.abc import Iterator, Sequence

from ci_utils.clients.ticket_system import TicketSystemClient
from ci_utils.errors import NotFound
from cli.console import ConsoleReader
from cli.exit_codes import Exit
from cli.follow import exit_of_end, tell_end, until_ended
from cli.terminal import Terminal
from cli.ticket import Artifact, Ticket, read_ticket

#: The stages of a landing that leave logs, in their order.
STAGES = ("reserve", "build", "image", "test", "publish", "release")
PIECE_BYTES = 1 << 16

_NAME = re.compile(rf"lander-(?:[0-9]+-)?({'|'.join(STAGES)})\b.*\.log")


def run(arguments: argparse.Namespace, client: TicketSystemClient, terminal: Terminal) -> Exit:
    """Print the logs of a ticket, of one stage if one is given; or all lines as they come."""
    if arguments.follow:
        return _follow(arguments, client, terminal)
    ticket = read_ticket(client.ticket(arguments.ticket))
    logs = _logs(ticket, arguments.stage)
    if not logs:
        raise NotFound(_nothing_yet(ticket, arguments.stage))
    for log in logs:
        if len(logs) > 1:
            terminal.result(f"==> {log.name} <==")
        for piece in _pieces(client, log.url):
            terminal.text(piece)
    return Exit.OK


def _follow(arguments: argparse.Namespace, client: TicketSystemClient, terminal: Terminal) -> Exit:
    """Print what the stages say as they say it, to the ticket's end; the exit status tells that."""
    console = ConsoleReader(client, arguments.ticket, arguments.stage)
    for ticket in until_ended(client, arguments.ticket, terminal):
        for line in console.new_lines(ticket):
            terminal.result(line)
        terminal.flush()
        newest = ticket
    tell_end(newest, terminal)
    return exit_of_end(newest)


def _logs(ticket: Ticket, stage: str | None) -> Sequence[Artifact]:
    """The logs of one stage or of all, in the order of the stages."""
    found = {a.url: a for a in ticket.artifacts if a.type == "LOGS" and stage_of(a.name)}
    wanted = [a for a in found.values() if stage in (None, stage_of(a.name))]
    return sorted(wanted, key=lambda artifact: STAGES.index(stage_of(artifact.name)))


def stage_of(name: str) -> str:
    """The stage that left a log of this name; empty for files that are no logs of stages."""
    if name.endswith(".build.log"):
        return "build"
    match = _NAME.fullmatch(name)
    return match[1] if match else ""


def _nothing_yet(ticket: Ticket, stage: str | None) -> str:
    which = f"log of the stage {stage}" if stage else "log"
    advice = "" if ticket.ended else f"; follow it with: ubuntu-ci logs --follow {ticket.id}"
    return f"ticket {ticket.id} has no {which} now; its state is {ticket.state}{advice}"


def _pieces(client: TicketSystemClient, url: str) -> Iterator[str]:
    """A log of any size as text, piece by piece, with an end of line at its end."""
    decode = codecs.getincrementaldecoder("utf-8")(errors="replace").decode
    last = "\n"
    for piece in client.content(url, piece_bytes=PIECE_BYTES):
        text = decode(piece)
        last = text or last
        yield text
    yield decode(b"", final=True)
    if not last.endswith("\n"):
        yield "\n"
