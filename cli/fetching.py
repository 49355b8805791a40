"""Brings files of tickets to this machine."""

from __future__ import annotations

from pathlib import Path

from ci_utils.clients.download import download
from ci_utils.clients.ticket_system import TicketSystemClient
from ci_utils.errors import CIError
from cli.terminal import Terminal


def fetch(client: TicketSystemClient, url: str, target: Path, terminal: Terminal) -> None:
    """Download a URL into a file, which appears when it is complete.

    What a broken download left in `TARGET.part` is continued. A directory is
    refused before anything is fetched.
    """
    if target.is_dir():
        raise CIError(f"cannot write {target}: it is a directory; choose another place")
    part = target.with_name(f"{target.name}.part")
    try:
        with terminal.transfer(target.name, "fetching") as progress:
            download(client, url, part, progress)
        part.replace(target)
    except OSError as error:
        raise CIError(f"cannot write {target}: {error.strerror}; choose another place") from None


def read_bounded(client: TicketSystemClient, url: str, *, limit: int) -> bytes:
    """What a URL has; `CIError` if that is more than `limit` bytes."""
    content = bytearray()
    for piece in client.content(url):
        content += piece
        if len(content) > limit:
            address = url.partition("?")[0]
            raise CIError(f"{address} is larger than {limit >> 20} MiB, which is more than is read")
    return bytes(content)
