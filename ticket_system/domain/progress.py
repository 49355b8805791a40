"""How a ticket or subticket moves: forward only, and never again once it has ended."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from django.utils import timezone

from ci_utils.errors import Conflict, InvalidRequest
from ticket_system.domain.notifications import note_end
from ticket_system.models import Status, SubTicket, Ticket, Transition, WorkflowStep
from ticket_system.models.workflow import FINAL_STATES


@dataclass(frozen=True, kw_only=True)
class Report:
    """What is told about a ticket or subticket; None is "as it was"."""

    step: WorkflowStep | None = None
    status: Status | None = None
    message: str | None = None
    failed_step: WorkflowStep | None = None
    log_url: str | None = None


def move_ticket(ticket: Ticket, report: Report) -> None:
    """Apply a report to a locked ticket and record it in the ticket's history.

    The same report again changes nothing. Raises `Conflict` for a step back or
    a ticket that has ended, `InvalidRequest` for a state that its step cannot have.
    """
    if _repeats_end(ticket, report):
        return
    before = ticket.step
    moved = _advance(ticket, report)
    if report.failed_step is not None and not ticket.step == WorkflowStep.FAILED:
        raise InvalidRequest("failed_workflow_step: only a failed ticket has one")
    if ticket.step is WorkflowStep.FAILED:
        ticket.failed_workflow_step = report.failed_step or before
    if report.log_url is not None:
        ticket.log_url = report.log_url
    ticket.save()
    if moved:
        Transition.objects.create(
            ticket=ticket,
            workflow_step=ticket.current_workflow_step,
            status=ticket.status,
            message=ticket.message,
        )
    if ticket.ended_at:
        _end_subtickets(ticket)
        note_end(ticket, mail=settings.SMTP, webhooks=settings.WEBHOOKS)


def move_subticket(subticket: SubTicket, report: Report) -> None:
    """Apply a report to a subticket of a locked ticket; raises as `move_ticket` does."""
    if not _repeats_end(subticket, report):
        _advance(subticket, report)
        subticket.save()


def _repeats_end(moving: Ticket | SubTicket, report: Report) -> bool:
    """Whether this reports the end that is known already; `Conflict` if it has ended otherwise."""
    if not moving.step.final:
        return False
    if report.step == moving.step and report.status in (None, moving.status):
        return True
    raise Conflict(f"{moving} has ended ({moving.step.label}) and does not change any more")


def _advance(moving: Ticket | SubTicket, report: Report) -> bool:
    """Set step, status and message; whether step or status are other than before."""
    before = (moving.current_workflow_step, moving.status)
    step = report.step or moving.step
    if int(step) < int(moving.step):
        raise Conflict(f"{moving} is at {moving.step.label} and does not go back to {step.label}")
    status = report.status or _usual_status(moving, step)
    if step.final and status not in FINAL_STATES[step]:
        raise InvalidRequest(f"status: {status} is no state of the step {step} ({step.label})")
    moving.current_workflow_step, moving.status = step, status
    moved = before != (step, status)
    if report.message is not None or moved:
        moving.message = report.message or ""
    if step.final:
        moving.ended_at = timezone.now()
    return moved


def _usual_status(moving: Ticket | SubTicket, step: WorkflowStep) -> Status:
    if step == moving.step:
        return Status(moving.status)
    if step.final:
        return FINAL_STATES[step][0]
    return Status.WAITING if step is WorkflowStep.QUEUED else Status.RUNNING


def _end_subtickets(ticket: Ticket) -> None:
    """Subtickets end with their ticket; one that was built before the ticket failed stays so."""
    now = timezone.now()
    going_on = ticket.subtickets.filter(ended_at__isnull=True)
    if ticket.step is WorkflowStep.COMPLETE:
        going_on.update(
            current_workflow_step=WorkflowStep.COMPLETE, status=Status.DONE, ended_at=now, updated_at=now
        )
    else:
        going_on.exclude(status=Status.DONE).update(
            current_workflow_step=WorkflowStep.FAILED, status=Status.CANCELLED, ended_at=now, updated_at=now
        )
