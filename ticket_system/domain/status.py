"""What the ticket system says of itself in `GET /api/v1/status`."""

from __future__ import annotations

from typing import Any

from django.db.models import Count

from ci_utils.work_queue.requests import queue_status
from ticket_system.domain.queue import QUEUE
from ticket_system.models import Ticket, TrustedUploader, WorkflowStep


def status() -> dict[str, Any]:
    """Numbers of tickets by step, the queue to the lander, and the number of trusted uploaders."""
    counts = dict(Ticket.objects.order_by().values_list("current_workflow_step").annotate(Count("id")))
    return {
        **queue_status(QUEUE),
        "tickets": {step.value: counts.get(step.value, 0) for step in WorkflowStep},
        "trusted_uploaders": TrustedUploader.objects.count(),
    }
