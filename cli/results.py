"""`ubuntu-ci results`: what the tests of a ticket said."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence

from ci_utils.clients.ticket_system import TicketSystemClient
from ci_utils.durations import duration
from ci_utils.errors import NotFound
from ci_utils.subunit_results import TestOutcome, junit_xml, read_subunit
from cli.exit_codes import Exit
from cli.fetching import read_bounded
from cli.terminal import Terminal
from cli.ticket import Ticket, read_ticket

FORMATS = ("text", "subunit", "junit", "json")
#: The test runner bounds what it attaches; a stream that is larger is not from it.
MAX_STREAM_BYTES = 256 << 20
COLUMNS = "{:<8}  {:>14}  {}"


def run(arguments: argparse.Namespace, client: TicketSystemClient, terminal: Terminal) -> Exit:
    """Print the results of all sources in one format."""
    ticket = read_ticket(client.ticket(arguments.ticket))
    streams = [read_bounded(client, url, limit=MAX_STREAM_BYTES) for url in _stream_urls(ticket)]
    if arguments.format == "subunit":
        terminal.raw(b"".join(streams))
    elif arguments.format == "junit":
        terminal.text(junit_xml(streams))
    else:
        tests = [test for stream in streams for test in read_subunit(stream)]
        if arguments.format == "json":
            terminal.data([_as_json(test) for test in tests])
        else:
            _show(tests, terminal)
    return Exit.OK


def _stream_urls(ticket: Ticket) -> list[str]:
    urls = [a.url for a in ticket.artifacts if a.type == "RESULTS" and a.name.endswith(".subunit")]
    if not urls:
        raise NotFound(f"ticket {ticket.id} has no test results; its state is {ticket.state}")
    return urls


def _as_json(test: TestOutcome) -> dict[str, object]:
    return {
        "test": test.name,
        "outcome": test.outcome,
        "seconds": test.seconds,
        "reason": test.reason,
        "details": dict(test.details),
    }


def _show(tests: Sequence[TestOutcome], terminal: Terminal) -> None:
    for test in tests:
        reason = f": {test.reason}" if test.reason else ""
        took = "" if test.seconds is None else duration(test.seconds)
        terminal.result(COLUMNS.format(test.outcome, took, f"{test.name}{reason}"))
    counts = Counter(test.outcome for test in tests)
    terminal.say(", ".join(f"{count} {outcome}" for outcome, count in counts.items()) or "no tests")
