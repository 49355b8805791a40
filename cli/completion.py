"""`ubuntu-ci completion`: what makes a shell complete commands and options."""

from __future__ import annotations

import argparse

import shtab

from ci_utils.clients.ticket_system import TicketSystemClient
from cli.exit_codes import Exit
from cli.terminal import Terminal

SHELLS = ("bash", "zsh", "fish")
#: What arguments are completed with, by what `--help` calls them.
KINDS = {"SOURCES": shtab.FILE, "FILE": shtab.FILE, "DIR": shtab.DIRECTORY}


def script(parser: argparse.ArgumentParser, shell: str) -> str:
    """The completion script of a parser for one of `SHELLS`."""
    _say_kinds(parser)
    return str(shtab.complete(parser, shell))


def run(arguments: argparse.Namespace, _: TicketSystemClient, terminal: Terminal) -> Exit:
    """Print the script for a shell."""
    terminal.text(script(arguments.of_parser, arguments.shell))
    return Exit.OK


def _say_kinds(parser: argparse.ArgumentParser) -> None:
    """Tell which arguments are files and directories, in this parser and those of its commands."""
    for action in parser._actions:
        if action.metavar in KINDS:
            action.complete = KINDS[str(action.metavar)]  # type: ignore[attr-defined]
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                _say_kinds(command)
