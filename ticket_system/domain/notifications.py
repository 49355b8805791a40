"""Tells owners and webhooks that a ticket has ended.

What is to be told is written with the end itself, in one transaction, and
delivered afterwards: at least once, each under a key of its own.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from django.utils import timezone

from ci_utils.config import SMTPConfig, WebhookConfig
from ci_utils.errors import CIError
from ticket_system.models import Delivery, Ticket

log = logging.getLogger(__name__)

EVENT = "ticket.ended"
FIRST_PAUSE = timedelta(seconds=10)
LONGEST_PAUSE = timedelta(hours=1)
#: With these pauses half a day of tries.
MAX_ATTEMPTS = 20
#: As many as are looked at in one turn.
BATCH = 100
UNEXPECTED = "an unexpected error; see the log"

Send = Callable[[Delivery], None]


def note_end(ticket: Ticket, *, mail: SMTPConfig, webhooks: WebhookConfig) -> None:
    """Write down who has to be told of the end of a ticket; in the transaction that ends it.

    What a private ticket says goes to its owner only.
    """
    targets = [(Delivery.Kind.MAIL, ticket.owner)] if mail.host else []
    if not ticket.private:
        targets += [(Delivery.Kind.WEBHOOK, url) for url in webhooks.urls]
    if not targets:
        return
    payload = _payload(ticket)
    Delivery.objects.bulk_create(
        Delivery(ticket=ticket, kind=kind, target=target, payload=payload) for kind, target in targets
    )


def deliver_due(*, senders: Mapping[str, Send]) -> None:
    """Try everything that is due, once; `senders` by kind raise when they could not.

    Whatever one raises is a try that failed: nothing that is due holds up what comes after it.
    """
    due = Delivery.objects.filter(ended_at__isnull=True, due_at__lte=timezone.now())
    for delivery in due.order_by("due_at")[:BATCH]:
        if _claimed(delivery):
            _try(delivery, senders[delivery.kind])


def text_of(delivery: Delivery) -> tuple[str, str]:
    """Subject and body of the mail about an ended ticket."""
    told = delivery.payload["ticket"]
    lines = [
        f"{told['title']}",
        "",
        f"Ticket {told['id']} has ended: {told['state']}.",
        *([told["message"]] if told["message"] else []),
        "",
        *(f"source: {source['source']} {source['version']}" for source in told["sources"]),
        *([f"log: {told['log_url']}"] if told["log_url"] else []),
        "",
        f"See: ubuntu-ci status {told['id']}",
    ]
    return f"ticket {told['id']} {told['state']}: {told['title']}"[:300], "\n".join(lines) + "\n"


def body_of(delivery: Delivery) -> bytes:
    """The body that a webhook gets."""
    told = {"event": EVENT, "delivery": str(delivery.key), **delivery.payload}
    return json.dumps(told, sort_keys=True).encode()


def _payload(ticket: Ticket) -> dict[str, Any]:
    subtickets = ticket.subtickets.select_related("source_package_upload__sourcepackage")
    state = "Cancelled" if ticket.cancelled else ticket.step.label
    if ticket.failed_step and not ticket.cancelled:
        state = f"{state} at {ticket.failed_step.label}"
    return {
        "ticket": {
            "id": ticket.pk,
            "title": ticket.title,
            "owner": ticket.owner,
            "state": state,
            "current_workflow_step": ticket.current_workflow_step,
            "status": ticket.status,
            "failed_workflow_step": ticket.failed_workflow_step,
            "message": ticket.message,
            "log_url": ticket.log_url,
            "retry_of": ticket.retry_of_id,
            "resource_uri": f"/api/v1/ticket/{ticket.pk}/",
            "created_at": ticket.created_at.isoformat(),
            "ended_at": ticket.ended_at.isoformat() if ticket.ended_at else None,
            "sources": [
                {
                    "source": subticket.source_package_upload.sourcepackage.name,
                    "version": subticket.source_package_upload.version,
                }
                for subticket in subtickets
            ],
        }
    }


def _claimed(delivery: Delivery) -> bool:
    """Whether this worker has the next try; if it dies in it, the one after that comes when it is due."""
    pause = min(FIRST_PAUSE * 2 ** min(delivery.attempts, MAX_ATTEMPTS), LONGEST_PAUSE)
    mine = Delivery.objects.filter(pk=delivery.pk, attempts=delivery.attempts, ended_at__isnull=True)
    delivery.attempts += 1
    return bool(mine.update(attempts=delivery.attempts, due_at=timezone.now() + pause))


def _try(delivery: Delivery, send: Send) -> None:
    failure, again = "", False
    try:
        send(delivery)
    except CIError as error:
        failure = error.message
        again = error.retryable and delivery.attempts < MAX_ATTEMPTS
        what = "is tried again later" if again else "is given up"
        log.warning("%s of %s %s: %s", delivery, delivery.ticket, what, error)
    except Exception:
        failure = UNEXPECTED
        again = delivery.attempts < MAX_ATTEMPTS
        log.exception("%s of %s met an unexpected error", delivery, delivery.ticket)
    end = {} if again else {"ended_at": timezone.now()}
    Delivery.objects.filter(pk=delivery.pk).update(failure=failure, **end)
