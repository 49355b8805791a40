"""What the ticket system does in the background: it gives tickets to the lander, in order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ci_utils.errors import Cancelled
from ci_utils.hosting import ports
from ci_utils.work_queue.worker import Periodic, Task, Work
from ticket_system.domain import landing
from ticket_system.domain.queue import QUEUE

CANCELLATION_SECONDS = 10


def handle(task: Task) -> Mapping[str, Any]:
    """Hand one ticket over. A ticket never stays queued without a request at the lander."""
    ticket_id = int(task.payload["ticket_id"])
    try:
        taken = landing.hand_over(ticket_id=ticket_id, lander=ports.lander(), stopped=task.cancelled)
    except Cancelled:
        raise
    except Exception:
        landing.fail(ticket_id=ticket_id, message="the ticket could not be given to the lander")
        raise
    return {"ticket_id": ticket_id, "taken": taken}


def pass_on_cancellations() -> None:
    """Tell the lander of cancellations that it could not be told of before."""
    landing.pass_on_cancellations(lander=ports.lander())


WORK = [Work(queue=QUEUE, handle=handle, message_fields=("ticket_id",))]
PERIODIC = [Periodic("ticket-cancellations", CANCELLATION_SECONDS, pass_on_cancellations)]
