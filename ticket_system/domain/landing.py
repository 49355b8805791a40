"""Hands queued tickets to the lander, one after another, and passes cancellations on.

Specification: "Ticket System -> Lander" and the lander's `execute_request`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from django.db import transaction
from django.utils import timezone

from ci_utils.api.tokens import Principal
from ci_utils.clients.base import refused_for_good
from ci_utils.clients.lander import LanderClient
from ci_utils.errors import Cancelled, CIError, Conflict, NotFound
from ticket_system.domain.access import locked_ticket, require_change
from ticket_system.domain.progress import Report, move_ticket
from ticket_system.domain.queue import work_key
from ticket_system.models import Status, SubTicket, Ticket, WorkflowStep

log = logging.getLogger(__name__)

LANDER_AWAY = "waiting for the lander, which takes no tickets now"
RETRY_SECONDS = 2.0


def hand_over(*, ticket_id: int, lander: LanderClient, stopped: Callable[[], bool]) -> bool:
    """Give a queued ticket to the lander; waits while the lander does not answer or is not in order.

    Doing it again is harmless. Returns False if the ticket has ended or is
    being cancelled. Raises `Cancelled` when `stopped()`. A lander that refuses
    the ticket ends it as failed.
    """
    while True:
        ticket = Ticket.objects.with_files().get(pk=ticket_id)
        if ticket.ended_at or ticket.cancel_requested_at:
            pass_on_cancellation(ticket, lander=lander)
            return False
        try:
            lander.start(landing_request(ticket))
            break
        except CIError as error:
            if refused_for_good(error):
                fail(ticket_id=ticket_id, message=f"the lander did not take the ticket: {error.message}")
                return False
            log.warning("%s waits: %s", ticket, error)
            _note(ticket_id, LANDER_AWAY)
        _pause(stopped)
    _note(ticket_id, "", instead_of=LANDER_AWAY)
    # A cancellation that found nothing at the lander may have come while the request was on its way.
    pass_on_cancellation(Ticket.objects.get(pk=ticket_id), lander=lander)
    return True


def landing_request(ticket: Ticket) -> dict[str, Any]:
    """The parameters of `execute_request` for a ticket fetched `with_files`."""
    subtickets = [_landing_subticket(subticket) for subticket in ticket.subtickets.all()]
    return {
        "ticket": str(ticket.pk),
        "source_packages": [url for subticket in subtickets for url in subticket["artifacts"]],
        "checksums": ticket.checksums,
        "binary_packages": ticket.add_packages,
        "remove_packages": ticket.remove_packages,
        "series": ticket.series,
        "base_image": ticket.base_image,
        "private": ticket.private,
        "subtickets": subtickets,
        "progress_trigger": work_key(ticket.pk),
        "cancel_url": None,
    }


def fail(*, ticket_id: int, message: str) -> None:
    """End a ticket that cannot be landed."""
    with transaction.atomic():
        ticket = locked_ticket(ticket_id)
        if not ticket.step.final:
            move_ticket(ticket, Report(step=WorkflowStep.FAILED, message=message))


def cancel_ticket(*, ticket_id: int, by: Principal, lander: LanderClient) -> Ticket:
    """Stop a ticket; `Conflict` if it has ended otherwise or the lander says that it is too late.

    One that is new or waits in the queue ends at once; one in work ends when
    the lander reports it.
    """
    with transaction.atomic():
        ticket = locked_ticket(ticket_id, by=by)
        require_change(ticket, by=by)
        if ticket.status == Status.CANCELLED:
            return ticket
        if ticket.step.final:
            raise Conflict(f"{ticket} has ended ({ticket.step.label}) already; there is nothing to cancel")
        ticket.cancel_requested_at = ticket.cancel_requested_at or timezone.now()
        ticket.save()
    _pass_on(ticket, lander=lander)
    ticket.refresh_from_db()
    return ticket


def pass_on_cancellations(*, lander: LanderClient) -> None:
    """Pass on what could not be passed on when it was asked for."""
    for ticket in Ticket.objects.open().filter(cancel_requested_at__isnull=False).order_by("id"):
        pass_on_cancellation(ticket, lander=lander)


def pass_on_cancellation(ticket: Ticket, *, lander: LanderClient) -> None:
    """Tell the lander if a ticket is not wanted any more; harmless if it was told before."""
    if ticket.cancel_requested_at:
        try:
            _pass_on(ticket, lander=lander)
        except Conflict as error:
            log.warning("%s is not cancelled: %s", ticket, error)


def _pass_on(ticket: Ticket, *, lander: LanderClient) -> None:
    known = False
    if ticket.step is not WorkflowStep.NEW:
        try:
            lander.cancel(work_key(ticket.pk))
            known = True
        except NotFound:
            pass
        except Conflict:
            Ticket.objects.open().filter(pk=ticket.pk).update(cancel_requested_at=None)
            raise
        except CIError as error:
            log.warning("the cancellation of %s is passed on later: %s", ticket, error)
            return
    with transaction.atomic():
        ticket = locked_ticket(ticket.pk)
        if not ticket.step.final and not (known and _begun(ticket)):
            move_ticket(
                ticket,
                Report(step=WorkflowStep.FAILED, status=Status.CANCELLED, message="the ticket was cancelled"),
            )


def _begun(ticket: Ticket) -> bool:
    """Whether the lander works on the ticket: then it is the lander that ends it."""
    waiting = ticket.step is WorkflowStep.QUEUED and ticket.status == Status.WAITING
    return not waiting and ticket.step is not WorkflowStep.NEW


def _landing_subticket(subticket: SubTicket) -> dict[str, Any]:
    upload = subticket.source_package_upload
    files = [a.reference for a in subticket.artifacts.all() if a.type == a.Type.SPU]
    return {
        "id": subticket.pk,
        "source": upload.sourcepackage.name,
        "version": upload.version,
        "artifacts": files,
    }


def _note(ticket_id: int, message: str, *, instead_of: str | None = None) -> None:
    """Set the message of a ticket that waits in the queue."""
    waiting = Ticket.objects.filter(
        pk=ticket_id, current_workflow_step=WorkflowStep.QUEUED, status=Status.WAITING
    )
    if instead_of is not None:
        waiting = waiting.filter(message=instead_of)
    waiting.exclude(message=message).update(message=message, updated_at=timezone.now())


def _pause(stopped: Callable[[], bool]) -> None:
    until = time.monotonic() + RETRY_SECONDS
    while time.monotonic() < until:
        if stopped():
            raise Cancelled("the ticket goes back to the queue")
        time.sleep(0.2)
