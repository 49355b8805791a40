"""What the stages of a ticket print, line by line, while they run: the lander's console log."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator

from ci_utils.clients.lander import LanderClient
from ci_utils.clients.ticket_system import TicketSystemClient
from ci_utils.errors import CIError, NotFound
from cli.ticket import Ticket

#: The steps of a ticket whose messages are of a stage.
STEPS = {"build": "200", "image": "300", "test": "400", "publish": "500"}

_HEADING = re.compile(r"== ([a-z]+): [A-Z]+")


class ConsoleReader:
    """Gives the lines that are new since the last time.

    Where the lander does not show the job (it lives elsewhere, or the ticket
    is private), the ticket's own messages stand for them. While it does not
    answer there is nothing new.
    """

    def __init__(self, client: TicketSystemClient, ticket_id: int, stage: str | None = None) -> None:
        self._lander = client.beside(LanderClient)
        self._ticket_id = ticket_id
        self._stage = stage
        self._read: dict[str, int] = defaultdict(int)
        self._message = ""

    def new_lines(self, ticket: Ticket) -> Iterator[str]:
        """The new lines, stage by stage, each with the name of its stage; `ticket` as it is now."""
        try:
            text = self._lander.console_of_ticket(self._ticket_id)
        except NotFound:
            yield from self._message_lines(ticket)
            return
        except CIError as error:
            if not error.retryable:
                raise
            return
        for stage, lines in _by_stage(text).items():
            new = lines[self._read[stage] :]
            self._read[stage] = len(lines)
            if self._stage in (None, stage):
                yield from (f"{stage}: {line}" for line in new)

    def _message_lines(self, ticket: Ticket) -> Iterator[str]:
        message = f"{ticket.step_name}: {ticket.message}".removesuffix(": ")
        if message != self._message and (self._stage is None or STEPS.get(self._stage) == ticket.step):
            yield message
        self._message = message


def _by_stage(text: str) -> dict[str, list[str]]:
    """The lines of a console log under the headings of its stages."""
    stages: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in text.splitlines():
        if match := _HEADING.fullmatch(line):
            lines = stages.setdefault(match[1], [])
        else:
            lines.append(line)
    return stages
