"""Options and commands of `ubuntu-ci`. Specification: "Using the Ubuntu CI Engine"."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ci_utils.clients.ticket_system import TicketSystemClient
from cli import (
    argument_types,
    artifacts,
    cancel,
    completion,
    create_ticket,
    get_image,
    logs,
    results,
    retry,
    status,
    update_ticket,
    wait,
    watch,
)
from cli.exit_codes import Exit, exit_table
from cli.terminal import Terminal, Verbosity

#: What somebody does who has never done it.
FIRST_STEPS = """\
first steps:
  dpkg-buildpackage --build=source -sa      in the source tree: a signed upload
  ubuntu-ci create_ticket -s FILE.changes   an operator must trust your key
  ubuntu-ci watch ID                        until it ends; then, if it failed:
  ubuntu-ci logs ID                         why
  ubuntu-ci retry ID                        the same again, as a new ticket"""

Command = Callable[[argparse.Namespace, TicketSystemClient, Terminal], Exit]


def build_parser() -> argparse.ArgumentParser:
    """The commands and options; reference, manual page and completions are made from it."""
    parser = argparse.ArgumentParser(
        prog="ubuntu-ci",
        description="Create tickets for the Ubuntu CI Engine and follow them.",
        epilog=f"{FIRST_STEPS}\n\nexit status:\n{exit_table()}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[_general_options(url=None, staging=False, verbosity=Verbosity.NORMAL)],
    )
    # The same options are taken behind the command too; there they have no default to overwrite.
    general = _general_options(**dict.fromkeys(("url", "staging", "verbosity"), argparse.SUPPRESS))
    commands = parser.add_subparsers(title="actions", required=True, metavar="COMMAND")

    def add(name: str, run: Command, help: str, *, json: bool = False) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=help, description=help, parents=[general])
        command.set_defaults(run=run)
        if json:
            command.add_argument("--json", action="store_true", help="Print JSON, for programs")
        return command

    _add_writing_commands(add)
    _add_reading_commands(add)
    shell = add("completion", completion.run, "Print the script that makes a shell complete ubuntu-ci.")
    shell.add_argument("shell", choices=completion.SHELLS, metavar="SHELL", help="bash, zsh or fish")
    shell.set_defaults(of_parser=parser)
    return parser


def _add_writing_commands(add: Callable[..., argparse.ArgumentParser]) -> None:
    _add_create_options(add("create_ticket", create_ticket.run, "Create a new ticket.", json=True))
    _add_update_options(add("update_ticket", update_ticket.run, "Update an existing ticket."))
    _add_ticket(add("cancel", cancel.run, "Stop a ticket that has not ended."))
    again = add(
        "retry", retry.run, "Send a ticket again that failed or was cancelled, as a new one.", json=True
    )
    _add_ticket(again)
    again.add_argument("--follow", action="store_true", help="Show how the new ticket goes until it ends")


def _add_reading_commands(add: Callable[..., argparse.ArgumentParser]) -> None:
    state = add("status", status.run, "Get ticket status. Use no flags for all tickets.", json=True)
    _add_ticket(state, nargs="?", help="Number of one ticket")
    shown = add(
        "watch", watch.run, "Show how a ticket goes until it ends; the exit status tells how.", json=True
    )
    until = add("wait", wait.run, "Come back when a ticket has ended; the exit status tells how.", json=True)
    for following in (shown, until):
        _add_ticket(following)
        following.set_defaults(follow=True)  # as with the --follow of others
    until.add_argument(
        "--timeout",
        metavar="TIME",
        type=argument_types.seconds,
        default=math.inf,
        help="How long to wait at most, such as 90s, 15m or 2h; default: to its end",
    )
    _add_log_options(add("logs", logs.run, "Print what the stages of a ticket printed."))
    tests = add("results", results.run, "Print the results of the tests of a ticket.")
    _add_ticket(tests)
    form = tests.add_mutually_exclusive_group()
    form.add_argument(
        "--format", choices=results.FORMATS, default="text", help="In which format; default: text"
    )
    form.add_argument(
        "--json", action="store_const", const="json", dest="format", help="Short for --format json"
    )
    files = add("artifacts", artifacts.run, "List the files of a ticket, or fetch them.", json=True)
    _add_ticket(files)
    files.add_argument("--download", metavar="DIR", type=Path, help="Fetch all files into this directory")
    image = add("get_image", get_image.run, "Retrieve the image produced by a ticket.", json=True)
    _add_ticket(image)
    image.add_argument(
        *("-o", "--output"),
        metavar="FILE",
        type=Path,
        help="Where to put it; in a directory, and by default here, it has its own name; - prints it",
    )


def _add_ticket(parser: argparse.ArgumentParser, **changed: Any) -> None:
    options = {"metavar": "ID", "type": argument_types.ticket_id, "help": "Number of the ticket"}
    parser.add_argument("ticket", **{**options, **changed})


def _add_log_options(parser: argparse.ArgumentParser) -> None:
    _add_ticket(parser)
    parser.add_argument(
        "stage",
        metavar="STAGE",
        nargs="?",
        choices=logs.STAGES,
        help=f"One stage only: {', '.join(logs.STAGES)}",
    )
    parser.add_argument(
        *("-f", "--follow"), action="store_true", help="Print lines as they come until the ticket ends"
    )


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
    where.add_argument(
        "-u", "--url", type=argument_types.url, default=url, help="Ticket system URL (default: $UCI_URL)"
    )
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
            type=argument_types.package,
            nargs="+",
            action="extend",
            default=[],
            help=f"{verb} a binary package {where} the image",
        )
    parser.add_argument(
        "--private",
        action="store_true",
        help="Show the ticket and its files only to who sends it and to operators",
    )
    after = parser.add_mutually_exclusive_group()
    after.add_argument("-w", "--wait", action="store_true", help="Do not queue the ticket for processing.")
    after.add_argument("--follow", action="store_true", help="Show how the ticket goes until it ends")


def _add_update_options(parser: argparse.ArgumentParser) -> None:
    _add_ticket(parser)
    _add_text_options(parser)
    parser.add_argument(
        "-q", "--queue", action="store_true", help="Queue a ticket that was created with --wait"
    )


def _add_text_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-t", "--title", help="Ticket title")
    parser.add_argument("-d", "--description", help="Ticket description")
    parser.add_argument("-b", "--bug", type=argument_types.bug, help="Related bug number")
    parser.add_argument("-o", "--owner", type=argument_types.email, help="Email address of the ticket owner")
