"""Options and commands of `ubuntu-ci`. Specification: "Using the Ubuntu CI Engine"."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from ci_utils.clients.credentials import token_for
from ci_utils.clients.ticket_system import TicketSystemClient
from ci_utils.config import ClientConfig
from ci_utils.errors import CIError, ConfigurationError
from ci_utils.source_package.names import valid_package_name
from cli import cancel, create_ticket, get_image, status, update_ticket
from cli.exit_codes import Exit, exit_of, exit_table
from cli.terminal import Terminal, Verbosity

Command = Callable[[argparse.Namespace, TicketSystemClient, Terminal], Exit]

_BUG = re.compile(r"[0-9]{1,12}|https?://[!-~]+", re.ASCII)
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status; errors are one sentence on standard error."""
    arguments = build_parser().parse_args(argv)
    terminal = Terminal(Verbosity(arguments.verbosity))
    try:
        code = _run(arguments, terminal)
        sys.stdout.flush()
        return code
    except CIError as error:
        terminal.error(error.message)
        return exit_of(error)
    except KeyboardInterrupt:
        terminal.error("interrupted")
        return Exit.INTERRUPTED
    except BrokenPipeError:
        # The reader of our output went away (`ubuntu-ci status | head`); keep the
        # interpreter from writing the rest at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.OK


def build_parser() -> argparse.ArgumentParser:
    """The commands and options; the reference documentation is checked against it."""
    parser = argparse.ArgumentParser(
        prog="ubuntu-ci",
        description="Create tickets for the Ubuntu CI Engine and follow them.",
        epilog=f"exit status:\n{exit_table()}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[_general_options(url=None, staging=False, verbosity=Verbosity.NORMAL)],
    )
    # The same options are taken behind the command too; there they have no default to overwrite.
    general = _general_options(**dict.fromkeys(("url", "staging", "verbosity"), argparse.SUPPRESS))
    commands = parser.add_subparsers(title="actions", required=True, metavar="COMMAND")

    def add(name: str, run: Command, help: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=help, description=help, parents=[general])
        command.set_defaults(run=run)
        return command

    _add_create_options(add("create_ticket", create_ticket.run, "Create a new ticket."))
    _add_update_options(add("update_ticket", update_ticket.run, "Update an existing ticket."))
    status_parser = add("status", status.run, "Get ticket status. Use no flags for all tickets.")
    status_parser.add_argument(
        "ticket", metavar="ID", nargs="?", type=_ticket_id, help="Number of one ticket"
    )
    status_parser.add_argument("--json", action="store_true", help="Print JSON, for programs")
    image = add("get_image", get_image.run, "Retrieve the image produced by a ticket.")
    image.add_argument("ticket", metavar="ID", type=_ticket_id, help="Number of the ticket")
    image.add_argument(
        "-o", "--output", metavar="FILE", type=Path, help="Where to put it; default: its own name"
    )
    stop = add("cancel", cancel.run, "Stop a ticket that has not ended.")
    stop.add_argument("ticket", metavar="ID", type=_ticket_id, help="Number of the ticket")
    return parser


def _run(arguments: argparse.Namespace, terminal: Terminal) -> Exit:
    config = ClientConfig.from_environment()
    url = arguments.url or config.url
    if arguments.staging:
        url = config.staging_url
        if not url:
            raise ConfigurationError("UCI_STAGING_URL is not set; set it to the URL that -S shall use")
    command: Command = arguments.run
    return command(arguments, TicketSystemClient(url, config.token or token_for(url)), terminal)


def _general_options(*, url: object, staging: object, verbosity: object) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument(
        *("-v", "--verbosity"),
        type=int,
        choices=[level.value for level in Verbosity],
        default=verbosity,
        help="Verbosity level; 1=errors only, 2=verbose output, 3=very verbose output",
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument("-u", "--url", type=_url, default=url, help="Ticket system URL (default: $UCI_URL)")
    where.add_argument(
        *("-S", "--staging"),
        action="store_true",
        default=staging,
        help="Use the staging ticket system ($UCI_STAGING_URL)",
    )
    return parser


def _add_create_options(parser: argparse.ArgumentParser) -> None:
    _add_text_options(parser)
    parser.add_argument(
        *("-s", "--sources"),
        metavar="SOURCES",
        type=Path,
        nargs="+",
        action="extend",
        required=True,
        help="Path to source.changes files. Source package files (e.g. source.dsc, source.orig.tar.gz, "
        "etc.) are required to be in the same directory as their respective source.changes.",
    )
    for option, verb, where in (("add", "Add", "to"), ("remove", "Remove", "from")):
        parser.add_argument(
            *(f"-{option[0]}", f"--{option}"),
            metavar="BINARY",
            type=_package,
            nargs="+",
            action="extend",
            default=[],
            help=f"{verb} a binary package {where} the image",
        )
    parser.add_argument(
        "--private", action="store_true", help="Show the ticket and its files to its owner and operators only"
    )
    after = parser.add_mutually_exclusive_group()
    after.add_argument("-w", "--wait", action="store_true", help="Do not queue the ticket for processing.")
    after.add_argument("--follow", action="store_true", help="Show how the ticket goes until it ends")


def _add_update_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("ticket", metavar="ID", type=_ticket_id, help="Number of the ticket")
    _add_text_options(parser)
    parser.add_argument(
        "-q", "--queue", action="store_true", help="Queue a ticket that was created with --wait"
    )


def _add_text_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-t", "--title", help="Ticket title")
    parser.add_argument("-d", "--description", help="Ticket description")
    parser.add_argument("-b", "--bug", type=_bug, help="Related bug number")
    parser.add_argument("-o", "--owner", type=_email, help="Email address of the ticket owner")


def _ticket_id(value: str) -> int:
    if not re.fullmatch(r"[1-9][0-9]{0,17}", value):
        raise argparse.ArgumentTypeError(f"{value!r} is not the number of a ticket")
    return int(value)


def _url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise argparse.ArgumentTypeError(f"{value!r} is not an http:// or https:// URL")
    return value.rstrip("/")


def _bug(value: str) -> str:
    if not _BUG.fullmatch(value):
        raise argparse.ArgumentTypeError(f"{value!r} is not a bug's number or URL")
    return value


def _email(value: str) -> str:
    if not _EMAIL.fullmatch(value):
        raise argparse.ArgumentTypeError(f"{value!r} is not an email address")
    return value


def _package(value: str) -> str:
    if not valid_package_name(value):
        raise argparse.ArgumentTypeError(f"{value!r} is not the name of a binary package")
    return value
