"""Makes and changes tickets as people write them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from django.db import transaction

from ci_utils.api.tokens import Principal, Scope
from ci_utils.data_store.port import DataStores
from ci_utils.errors import Conflict, InvalidRequest
from ticket_system.domain.access import locked_ticket, require_change
from ticket_system.domain.base_image import check_base_image
from ticket_system.models import Ticket, Transition


@dataclass(frozen=True, kw_only=True)
class TicketDraft:
    """A ticket as its submitter describes it; `add_packages` and `remove_packages` are binary packages."""

    owner: str
    title: str
    series: str
    description: str = ""
    bug_id: str = ""
    base_image: str = ""
    add_packages: list[str] = field(default_factory=list)
    remove_packages: list[str] = field(default_factory=list)
    private: bool = False


def create_ticket(*, draft: TicketDraft, by: Principal, stores: DataStores) -> Ticket:
    """Make a new ticket; it gets source packages and is queued by other verbs."""
    by.require(Scope.SUBMIT)
    both = sorted(set(draft.add_packages) & set(draft.remove_packages))
    if both:
        raise InvalidRequest(f"remove_packages: {both[0]} is also in add_packages; keep it in one of them")
    check_base_image(draft.base_image, by=by, stores=stores)
    with transaction.atomic():
        ticket = Ticket.objects.create(submitter=by.name, **_columns(draft))
        Transition.objects.create(
            ticket=ticket, workflow_step=ticket.current_workflow_step, status=ticket.status
        )
    return ticket


def update_ticket(*, ticket_id: int, changes: Mapping[str, str], by: Principal) -> Ticket:
    """Change title, description, owner or bug of a ticket that has not ended."""
    with transaction.atomic():
        ticket = locked_ticket(ticket_id, by=by)
        require_change(ticket, by=by)
        if ticket.step.final:
            raise Conflict(f"{ticket} has ended ({ticket.step.label}) and does not change any more")
        for name, value in changes.items():
            setattr(ticket, name, value)
        ticket.save()
    return ticket


def _columns(draft: TicketDraft) -> dict[str, object]:
    return {
        **vars(draft),
        "add_packages": list(dict.fromkeys(draft.add_packages)),
        "remove_packages": list(dict.fromkeys(draft.remove_packages)),
    }
