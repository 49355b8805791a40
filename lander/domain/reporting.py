"""What the ticket system hears from the lander.

Specification: chapter "Lander": "pushes the progress update to the Ticket
System". A ticket system that is away never fails a ticket: progress is sent
again later, and what must arrive is sent until it has.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from ci_utils.clients.base import refused_for_good
from ci_utils.clients.ticket_system import TicketSystemClient
from ci_utils.errors import CIError

log = logging.getLogger(__name__)

#: Between two reports that differ only in their message.
QUIET_SECONDS = 1.0
RETRY_SECONDS = 2.0
#: The ticket system asks the data store for the size of each before it answers: with more, a slow store
#: takes longer than a client waits, and the same request would be sent for ever.
FILES_AT_ONCE = 50


class TicketReporter:
    """Reports where one ticket is. `pause(seconds)` waits, and raises to give up."""

    def __init__(self, client: TicketSystemClient, ticket_id: int, *, pause: Callable[[float], None]) -> None:
        self._client = client
        self._ticket_id = ticket_id
        self._pause = pause
        self._pending: dict[str, Any] | None = None
        self._state: tuple[str, str] | None = None
        self._sent_at = 0.0

    def progress(self, step: str, status: str, message: str) -> None:
        """Report a ticket's progress, now or, after another message a moment ago, with `flush`."""
        self._pending = {"current_workflow_step": step, "status": status, "message": message}
        if (step, status) != self._state:
            self._send()
        else:
            self.flush()

    def flush(self) -> None:
        """Send what waits, unless the last report was a moment ago."""
        if self._pending and time.monotonic() - self._sent_at >= QUIET_SECONDS:
            self._send()

    def end(self, **fields: Any) -> None:
        """Report the end of a ticket; waits until the ticket system has taken it, or refused it for good."""
        self._pending = None
        self.deliver(
            lambda: self._client.set_status(self._ticket_id, **fields),
            # Nobody else would ever end the ticket: also what an operator must mend first is waited for.
            gives_up=refused_for_good,
        )

    def subticket(self, subticket_id: int, *, status: str, message: str, step: str) -> None:
        """Report how the build of one source is."""
        fields = {"current_workflow_step": step, "status": status, "message": message}
        self.deliver(lambda: self._client.set_subticket_status(subticket_id, **fields))

    def artifacts(self, files: Sequence[Mapping[str, str]]) -> None:
        """Attach files to the ticket; each has `name`, `reference` and `type`."""
        for start in range(0, len(files), FILES_AT_ONCE):
            batch = files[start : start + FILES_AT_ONCE]
            self.deliver(partial(self._client.add_artifacts, self._ticket_id, batch))

    def subticket_artifact(self, subticket_id: int, file: Mapping[str, str]) -> None:
        """Attach a file to one of the ticket's subtickets."""
        self.deliver(lambda: self._client.add_subticket_artifact(subticket_id, **file))

    def deliver(
        self,
        send: Callable[[], None],
        *,
        gives_up: Callable[[CIError], bool] = lambda error: not error.retryable,
    ) -> None:
        """Send until it is taken, or meets an error that ends it (a ticket that has ended meanwhile, say)."""
        while True:
            try:
                send()
                return
            except CIError as error:
                log.warning("ticket %s: the ticket system: %s", self._ticket_id, error)
                if gives_up(error):
                    return
            self._pause(RETRY_SECONDS)

    def _send(self) -> None:
        fields = self._pending
        self._sent_at = time.monotonic()
        if fields is None:
            return
        try:
            self._client.set_status(self._ticket_id, **fields)
        except CIError as error:
            log.warning("ticket %s: the ticket system: %s", self._ticket_id, error)
            if error.retryable:
                return
        self._state = (fields["current_workflow_step"], fields["status"])
        self._pending = None
