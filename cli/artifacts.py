"""`ubuntu-ci artifacts`: list the files of a ticket, or fetch them all."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

from ci_utils.clients.ticket_system import TicketSystemClient
from ci_utils.errors import CIError
from ci_utils.source_package.names import valid_file_name
from cli.exit_codes import Exit
from cli.fetching import fetch
from cli.terminal import Terminal
from cli.ticket import Artifact, read_ticket

COLUMNS = "{:<8}  {:<44}  {}"


def run(arguments: argparse.Namespace, client: TicketSystemClient, terminal: Terminal) -> Exit:
    """Print type, name and address of every file; or download them into a directory."""
    ticket = read_ticket(client.ticket(arguments.ticket))
    if arguments.download:
        _download(client, ticket.artifacts, arguments.download, terminal, as_json=arguments.json)
    elif arguments.json:
        terminal.data([vars(artifact) for artifact in ticket.artifacts])
    else:
        for artifact in ticket.artifacts:
            terminal.result(COLUMNS.format(artifact.type, artifact.name, artifact.url))
    return Exit.OK


def _download(
    client: TicketSystemClient,
    artifacts: Sequence[Artifact],
    directory: Path,
    terminal: Terminal,
    *,
    as_json: bool,
) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CIError(f"cannot write to {directory}: {error.strerror}; choose another place") from None
    fetched = []
    for artifact, name in _with_names(artifacts):
        fetch(client, artifact.url, directory / name, terminal)
        fetched.append({"type": artifact.type, "name": artifact.name, "file": str(directory / name)})
        if not as_json:
            terminal.result(str(directory / name))
    if as_json:
        terminal.data(fetched)


def _with_names(artifacts: Sequence[Artifact]) -> Iterator[tuple[Artifact, str]]:
    """Each file with a name of its own that cannot leave the directory, whatever the engine calls it."""
    taken: set[str] = set()
    for number, artifact in enumerate(artifacts, 1):
        name = artifact.name if valid_file_name(artifact.name) else f"file-{number}"
        if artifact.type == "IMAGE" and not name.endswith(".qcow2"):
            name += ".qcow2"
        if name in taken:
            name = f"{number}-{name}"
        taken.add(name)
        yield artifact, name
