"""What the ticket system does in the background: it gives tickets to the lander, in order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.conf import settings

from ci_utils.errors import Cancelled, ConfigurationError
from ci_utils.hosting import ports
from ci_utils.notifications import mail, webhook
from ci_utils.work_queue.requests import DATABASE_AWAY
from ci_utils.work_queue.turns import Turns
from ci_utils.work_queue.worker import Periodic, Task, Work
from ticket_system.domain import landing
from ticket_system.domain.notifications import EVENT, body_of, deliver_due, text_of
from ticket_system.domain.queue import QUEUE
from ticket_system.domain.upload_queue import UploadQueue
from ticket_system.models import Delivery

CANCELLATION_SECONDS = 10
UPLOADS_SECONDS = 60
NOTIFICATIONS_SECONDS = 5


def handle(task: Task) -> Mapping[str, Any]:
    """Hand one ticket over. A ticket never stays queued without a request at the lander."""
    ticket_id = int(task.payload["ticket_id"])
    try:
        taken = landing.hand_over(ticket_id=ticket_id, lander=ports.lander(), stopped=task.cancelled)
    except (Cancelled, *DATABASE_AWAY):
        raise
    except Exception:
        landing.fail(ticket_id=ticket_id, message="the ticket could not be given to the lander")
        raise
    return {"ticket_id": ticket_id, "taken": taken}


def pass_on_cancellations() -> None:
    """Tell the lander of cancellations that it could not be told of before."""
    landing.pass_on_cancellations(lander=ports.lander())


def work_off_uploads() -> None:
    """Finish uploads by dput whose request was not, and forget those that stay incomplete."""
    queue = UploadQueue(
        series=ports.config().series,
        stores=ports.data_stores(),
        archives=ports.archives(),
        broker=ports.broker(),
    )
    queue.work_off(limits=settings.UPLOAD_QUEUE)


def deliver_notifications() -> None:
    """Tell owners and webhooks of tickets that have ended."""
    deliver_due(senders={Delivery.Kind.MAIL: _send_mail, Delivery.Kind.WEBHOOK: _call_webhook})


def _send_mail(delivery: Delivery) -> None:
    if not settings.SMTP.host:
        raise ConfigurationError("UCI_SMTP_HOST is not set any more")
    subject, body = text_of(delivery)
    sender = settings.SMTP.sender
    message = mail.compose(
        sender=sender, to=delivery.target, subject=subject, body=body, delivery=str(delivery.key)
    )
    mail.send(message, settings.SMTP)


def _call_webhook(delivery: Delivery) -> None:
    if delivery.target not in settings.WEBHOOKS.urls:
        raise ConfigurationError("the webhook is not one of UCI_WEBHOOK_URLS any more")
    webhook.post(
        delivery.target,
        body_of(delivery),
        secret=settings.WEBHOOKS.secret,
        delivery=str(delivery.key),
        event=EVENT,
    )


WORK = [Work(queue=QUEUE, handle=handle, message_fields=("ticket_id",), turns=Turns())]
PERIODIC = [
    Periodic("ticket-cancellations", CANCELLATION_SECONDS, pass_on_cancellations),
    Periodic("ticket-uploads", UPLOADS_SECONDS, work_off_uploads),
    Periodic("ticket-notifications", NOTIFICATIONS_SECONDS, deliver_notifications),
]
