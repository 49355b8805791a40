"""What `GET /api/v1/status` says of the lander. Specification: chapter "Lander", `status`."""

from __future__ import annotations

from typing import Any

from ci_utils.work_queue.requests import queue_status
from lander.domain.jobs import QUEUE
from lander.models import ChildJob, MasterJob


def status() -> dict[str, Any]:
    """Requests per state, and every running job with the stage it is at."""
    running = ChildJob.objects.filter(state=ChildJob.State.RUNNING, master__state=MasterJob.State.RUNNING)
    return queue_status(QUEUE) | {
        "jobs": [
            {
                "id": child.master.pk,
                "ticket_id": child.master.ticket_id,
                "stage": child.stage,
                "started_at": child.master.started_at,
            }
            for child in running.select_related("master").order_by("master_id", "id")
        ]
    }
