"""`ubuntu-ci create_ticket`: check, create, send the files, queue."""

from __future__ import annotations

import argparse
import contextlib
import os
import textwrap
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from email.utils import parseaddr
from functools import partial
from typing import Any, TypeVar

from ci_utils.clients.ticket_system import TicketSystemClient
from ci_utils.errors import CIError, InvalidRequest, Unavailable, Untrusted
from cli.exit_codes import Exit
from cli.local_uploads import LocalUpload, check_uploads
from cli.terminal import Terminal, Verbosity
from cli.watch import watch

T = TypeVar("T")

#: Seconds before something is sent again when the ticket system did not answer.
SEND_AGAIN_AFTER = (1, 5)
DEFAULT_TITLE_LENGTH = 200
DEFAULT_DESCRIPTION_LENGTH = 4000


def run(arguments: argparse.Namespace, client: TicketSystemClient, terminal: Terminal) -> Exit:
    """Create a ticket out of local uploads; queue it unless it shall wait."""
    uploads = check_uploads(arguments.sources)
    draft, key = _draft(arguments, uploads), str(uuid.uuid4())
    answer = _persistently(lambda: client.create_bundle(draft, key=key))
    ticket_id = int(answer["id"])
    with _cancelled_on(client, ticket_id, CIError, KeyboardInterrupt):
        _send_files(client, uploads, answer["sources"], terminal)
    if not arguments.wait:
        _queue(client, ticket_id, terminal)
    _tell(arguments, client, ticket_id, terminal)
    return watch(client, ticket_id, terminal, as_json=arguments.json) if arguments.follow else Exit.OK


def _draft(arguments: argparse.Namespace, uploads: Sequence[LocalUpload]) -> dict[str, Any]:
    title = ", ".join(f"{upload.changes.source} {upload.changes.version}" for upload in uploads)
    description = "\n\n".join(upload.changes.changes for upload in uploads)
    draft: dict[str, Any] = {
        "owner": arguments.owner or _default_owner(uploads),
        "title": arguments.title or textwrap.shorten(title, DEFAULT_TITLE_LENGTH, placeholder=" …"),
        "description": arguments.description or description[:DEFAULT_DESCRIPTION_LENGTH],
        "bug_id": arguments.bug or "",
        "add_packages": list(dict.fromkeys(arguments.add)),
        "remove_packages": list(dict.fromkeys(arguments.remove)),
        "sources": [{"changes_name": u.path.name, "changes": u.text, "dsc": u.dsc_text} for u in uploads],
    }
    return draft | ({"private": True} if arguments.private else {})


def _default_owner(uploads: Sequence[LocalUpload]) -> str:
    """Who packages on this machine by Debian's own variables, else who made the upload."""
    names = (os.environ.get("DEBEMAIL", ""), os.environ.get("EMAIL", ""), uploads[0].changes.changed_by)
    for name in names:
        address = parseaddr(name)[1]
        if "@" in address:
            return address
    raise InvalidRequest("the ticket has no owner; give an email address with -o or in DEBEMAIL")


def _send_files(
    client: TicketSystemClient,
    uploads: Sequence[LocalUpload],
    answers: Sequence[Mapping[str, Any]],
    terminal: Terminal,
) -> None:
    urls_by_source = {answer["source"]: answer["uploads"] for answer in answers}
    for upload in uploads:
        urls = urls_by_source[upload.changes.source]
        # The names are ours: the answer cannot ask for another file of this machine.
        for name in filter(urls.__contains__, upload.names):
            with terminal.transfer(name, "sending") as progress:
                _persistently(partial(client.upload, urls[name], upload.file(name), progress))


def _persistently(send: Callable[[], T]) -> T:
    """What `send` returns; it is called again when it was not answered, so it must be done once only."""
    for pause in SEND_AGAIN_AFTER:
        try:
            return send()
        except Untrusted:
            raise
        except Unavailable:
            time.sleep(pause)
    return send()


def _queue(client: TicketSystemClient, ticket_id: int, terminal: Terminal) -> None:
    try:
        with _cancelled_on(client, ticket_id, InvalidRequest):
            client.queue(ticket_id)
    except Unavailable:
        terminal.error(
            f"ticket {ticket_id} has all its files; if it is not queued (ubuntu-ci status {ticket_id}), "
            f"queue it with: ubuntu-ci update_ticket {ticket_id} --queue"
        )
        raise


@contextlib.contextmanager
def _cancelled_on(client: TicketSystemClient, ticket_id: int, *errors: type[BaseException]) -> Iterator[None]:
    """Cancel the ticket on an error after which it can never run."""
    try:
        yield
    except errors:
        with contextlib.suppress(CIError):
            client.cancel(ticket_id)
        raise


def _tell(
    arguments: argparse.Namespace, client: TicketSystemClient, ticket_id: int, terminal: Terminal
) -> None:
    url = f"{client.base_url}/api/v1/fullticket/{ticket_id}/"
    if arguments.json:
        terminal.data({"id": ticket_id, "queued": not arguments.wait, "url": url})
        return
    if terminal.verbosity is Verbosity.ERRORS:
        terminal.result(str(ticket_id))
        return
    terminal.result(f"ticket {ticket_id} {'waits' if arguments.wait else 'is queued'}: {url}")
    if not arguments.wait and not arguments.follow:
        terminal.say(f"follow it with: ubuntu-ci watch {ticket_id}")
    if arguments.wait:
        terminal.say(f"queue it with: ubuntu-ci update_ticket {ticket_id} --queue")
