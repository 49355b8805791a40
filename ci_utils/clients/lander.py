"""Client of the lander. Specification: chapter "Lander"."""

from __future__ import annotations

from ci_utils.clients.work import WorkClient


class LanderClient(WorkClient):
    """`execute_request` lands a ticket; the same ticket and attempt again is done once."""

    operation = "execute_request"

    def cancel(self, progress_trigger: str) -> None:
        """Stop the job that lands this request; `NotFound` if the lander has no such request."""
        self.post("cancel_request/", {"progress_trigger": progress_trigger})
