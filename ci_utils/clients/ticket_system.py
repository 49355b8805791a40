"""Client of the ticket system. Specification: chapter "Ticket System"."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ci_utils.clients.base import TRANSFER_TIMEOUT_SECONDS, ServiceClient


class TicketSystemClient(ServiceClient):
    """Tickets: made by `ubuntu-ci`, reported on by the lander."""

    def create_bundle(self, draft: Mapping[str, Any], *, key: str = "") -> dict[str, Any]:
        """Make a ticket with its packages, uploads and subtickets, or nothing.

        `draft`: owner, title, description, bug_id, add_packages,
        remove_packages, private, sources
        ([{"changes_name", "changes", "dsc"}]: texts). The answer has
        the ticket's id and, per source, the signed URLs that take its files.
        The same again with the same `key` is answered with the same ticket.
        """
        return dict(self.post("bundle/", draft, {"Idempotency-Key": key} if key else None))

    def ticket(self, ticket_id: int) -> dict[str, Any]:
        """Everything about one ticket."""
        return dict(self.get(f"fullticket/{ticket_id}/"))

    def tickets(self, **filters: Any) -> Iterator[dict[str, Any]]:
        """Step and status of all tickets that match, page after page."""
        return self.pages("ticketstatus/", **filters)

    def update_ticket(self, ticket_id: int, **fields: Any) -> None:
        """Change title, description, owner or bug of a ticket."""
        self.patch(f"ticket/{ticket_id}/", fields)

    def queue(self, ticket_id: int) -> None:
        """Hand a ticket to the engine, which first checks all its files: that can take a while."""
        path, queued = f"updateticketstatus/{ticket_id}/", {"current_workflow_step": "100", "status": "000"}
        self._json("PATCH", path, json=queued, timeout=TRANSFER_TIMEOUT_SECONDS)

    def set_status(self, ticket_id: int, **fields: Any) -> None:
        """Report where a ticket is: current_workflow_step, status, message, …"""
        self.patch(f"updateticketstatus/{ticket_id}/", fields)

    def set_subticket_status(self, subticket_id: int, **fields: Any) -> None:
        """Report where a subticket is."""
        self.patch(f"updatesubticketstatus/{subticket_id}/", fields)

    def add_artifacts(self, ticket_id: int, files: Sequence[Mapping[str, str]]) -> None:
        """Attach files to a ticket, all or none; the same again is done once.

        Each has `name`, `reference` (its URL) and `type`: RESULTS, LOGS or IMAGE.
        """
        ticket = f"/api/v1/ticket/{ticket_id}/"
        self.post("ticketartifacts/", {"ticket": ticket, "artifacts": [dict(file) for file in files]})

    def add_subticket_artifact(self, subticket_id: int, *, name: str, reference: str, type: str) -> None:
        """Attach a file to a subticket; `type` is SPU, RESULTS or LOGS. The same again is done once."""
        subticket = f"/api/v1/subticket/{subticket_id}/"
        self.post(
            "subticketartifact/",
            {"name": name, "subticket": subticket, "reference": reference, "type": type},
        )

    def cancel(self, ticket_id: int) -> None:
        """Stop a ticket that has not ended."""
        self.post(f"ticket/{ticket_id}/cancel/", {})

    def retry(self, ticket_id: int) -> dict[str, Any]:
        """Queue a copy of a ticket that failed or was cancelled; the copy. While it is open: the same."""
        path = f"ticket/{ticket_id}/retry/"
        return dict(self._json("POST", path, json={}, timeout=TRANSFER_TIMEOUT_SECONDS))
