"""`ubuntu-ci`: runs one command. Specification: "Using the Ubuntu CI Engine"."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence

from ci_utils.clients.credentials import token_for
from ci_utils.clients.ticket_system import TicketSystemClient
from ci_utils.config import ClientConfig
from ci_utils.errors import CIError, ConfigurationError
from cli.exit_codes import Exit, exit_of
from cli.parser import Command, build_parser
from cli.terminal import Terminal, Verbosity

_log = logging.getLogger(__name__)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status; errors are one sentence on standard error."""
    arguments = build_parser().parse_args(argv)
    terminal = Terminal(Verbosity(arguments.verbosity))
    # What it is if the reader of our output goes away before the end (`ubuntu-ci status | head`).
    unfinished = getattr(arguments, "follow", False) or getattr(arguments, "download", None)
    code = Exit.CUT_OFF if unfinished else Exit.OK
    try:
        code = _run(arguments, terminal)
        sys.stdout.flush()
    except CIError as error:
        code = exit_of(error)
        terminal.error(error.message)
        if code.advice:
            terminal.say(code.advice)
    except KeyboardInterrupt:
        code = Exit.INTERRUPTED
        terminal.error("interrupted")
    except BrokenPipeError:
        _drop_output()
    except OSError as error:
        code = Exit.ENGINE_FAILED
        terminal.error(f"{error.filename or 'standard output'}: {error.strerror or error}")
        _drop_output()
    except Exception as error:
        code = Exit.ENGINE_FAILED
        _log.debug("what ubuntu-ci did not expect", exc_info=error)
        terminal.error(
            f"the ticket system gave an answer that ubuntu-ci does not understand, or ubuntu-ci has a fault "
            f"({type(error).__name__}: {error}); with -v 3 it says where"
        )
    return code


def _drop_output() -> None:
    """Keep the interpreter from writing at its end what cannot be written."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _run(arguments: argparse.Namespace, terminal: Terminal) -> Exit:
    config = ClientConfig.from_environment()
    url = arguments.url or config.url
    if arguments.staging:
        url = config.staging_url
        if not url:
            raise ConfigurationError("UCI_STAGING_URL is not set; set it to the URL that -S shall use")
    command: Command = arguments.run
    client = TicketSystemClient(url, config.token or token_for(url), ca_file=config.ca_file)
    return command(arguments, client, terminal)
