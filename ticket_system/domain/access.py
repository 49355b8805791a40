"""Who may see and who may change a ticket."""

from __future__ import annotations

from ci_utils.api.tokens import Principal, Scope
from ci_utils.errors import Conflict, Forbidden, NotFound
from ticket_system.models import Ticket, WorkflowStep


def find_ticket(ticket_id: int, *, by: Principal) -> Ticket:
    """A ticket that `by` may see; `NotFound` for any other."""
    ticket = Ticket.objects.visible_to(by).filter(pk=ticket_id).first()
    if ticket is None:
        raise _not_found(ticket_id)
    return ticket


def locked_ticket(ticket_id: int, *, by: Principal | None = None) -> Ticket:
    """The same, held against other changes to the end of the transaction; `by` None sees all."""
    tickets = Ticket.objects.select_for_update()
    if by is not None:
        tickets = tickets.visible_to(by)
    ticket = tickets.filter(pk=ticket_id).first()
    if ticket is None:
        raise _not_found(ticket_id)
    return ticket


def require_change(ticket: Ticket, *, by: Principal) -> None:
    """Raise unless `by` submitted the ticket, or is an operator or a service."""
    by.require(Scope.SUBMIT, Scope.SERVICE)
    if not (by.has(Scope.OPERATE) or by.has(Scope.SERVICE) or ticket.submitter == by.name):
        raise Forbidden(f"ticket {ticket.pk} was made with another token; its submitter or an operator may")


def require_new(ticket: Ticket) -> None:
    """Raise `Conflict` once a ticket is queued: its contents do not change any more."""
    if ticket.step is not WorkflowStep.NEW:
        raise Conflict(
            f"ticket {ticket.pk} is at {ticket.step.label} already; make a new ticket for other contents"
        )


def _not_found(ticket_id: int) -> NotFound:
    return NotFound(f"there is no ticket {ticket_id}")
