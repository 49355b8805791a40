"""What the command line and the lander tell about tickets and subtickets.

Specification: "Update ticket status", "Mark ticket complete" and "Update
subticket status".
"""

from __future__ import annotations

from django.db import transaction

from ci_utils.api.tokens import Principal, Scope
from ci_utils.archive.port import Archives
from ci_utils.data_store.port import DataStores
from ci_utils.errors import Conflict, Forbidden, NotFound
from ci_utils.work_queue.broker import Broker
from ticket_system.domain.access import find_ticket, locked_ticket, require_change
from ticket_system.domain.progress import Report, move_subticket, move_ticket
from ticket_system.domain.queue import queue_ticket
from ticket_system.models import SubTicket, Ticket, WorkflowStep


def update_ticket_status(
    *,
    ticket_id: int,
    report: Report,
    by: Principal,
    stores: DataStores,
    archives: Archives,
    broker: Broker,
) -> Ticket:
    """Queue a new ticket (step 100, by people), or report where it is (by services)."""
    queues = report.step is WorkflowStep.QUEUED
    if by.has(Scope.SERVICE) and not queues:
        return report_ticket(ticket_id=ticket_id, report=report)
    ticket = find_ticket(ticket_id, by=by)
    require_change(ticket, by=by)
    if queues and (ticket.step is WorkflowStep.NEW or not by.has(Scope.SERVICE)):
        return queue_ticket(ticket_id=ticket_id, by=by, stores=stores, archives=archives, broker=broker)
    if not by.has(Scope.SERVICE):
        raise Forbidden(
            "people may only queue a ticket (current_workflow_step 100); the engine does the rest"
        )
    return report_ticket(ticket_id=ticket_id, report=report)


def report_ticket(*, ticket_id: int, report: Report) -> Ticket:
    """Record what the lander tells about a queued ticket."""
    with transaction.atomic():
        ticket = locked_ticket(ticket_id)
        if ticket.step is WorkflowStep.NEW:
            raise Conflict(f"ticket {ticket_id} is not queued yet; queue it first")
        move_ticket(ticket, report)
    return ticket


def report_subticket(*, subticket_id: int, report: Report) -> SubTicket:
    """Record what the lander tells about a subticket."""
    with transaction.atomic():
        subticket = SubTicket.objects.select_for_update().filter(pk=subticket_id).first()
        if subticket is None:
            raise NotFound(f"there is no subticket {subticket_id}")
        move_subticket(subticket, report)
    return subticket
