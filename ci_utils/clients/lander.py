"""Client of the lander. Specification: chapter "Lander"."""

from __future__ import annotations

from ci_utils.clients.work import WorkClient
from ci_utils.errors import NotFound


class LanderClient(WorkClient):
    """`execute_request` lands a ticket; the same ticket and attempt again is done once."""

    operation = "execute_request"

    def console(self, job_id: int, stage: str, *, after: int = 0) -> str:
        """What a stage of a job has printed, without its first `after` lines."""
        address = f"{self.base_url}/api/v1/job/{job_id}/console/"
        return self._send("GET", address, params={"stage": stage, "after": after}).text

    def cancel(self, progress_trigger: str) -> None:
        """Stop the job that lands this request; `NotFound` if the lander has no such request."""
        self.post("cancel_request/", {"progress_trigger": progress_trigger})

    def console_of_ticket(self, ticket_id: int) -> str:
        """What the stages of a ticket's newest job printed so far; `NotFound` if none is to be seen."""
        jobs = self.get("job/", ticket_id=ticket_id, limit=1, order_by="-id")["objects"]
        if not jobs:
            raise NotFound(f"the lander shows no job of ticket {ticket_id}")
        return self.text(f"job/{jobs[0]['id']}/console/")
