"""Where queued tickets stand, and when they may begin and end, by how long recent ones took.

An estimate is a range: half of the recent landings took between its ends. With
too few of them there is none.
"""

from __future__ import annotations

import heapq
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from django.db.models import F, Min, Q
from django.utils import timezone

from ci_utils.api.tokens import Principal
from ticket_system.models import Ticket, Transition, WorkflowStep

#: Landings that an estimate looks back at, and how few are none to judge by.
RECENT = 20
LEAST = 3
BEGUN = Q(history__workflow_step=WorkflowStep.PACKAGE_BUILDING)


@dataclass(frozen=True)
class Span:
    """Between `least` and `most` seconds."""

    least: float
    most: float

    def __add__(self, other: Span) -> Span:
        return Span(self.least + other.least, self.most + other.most)


@dataclass(frozen=True)
class Place:
    """A ticket in the queue; the first has position 1. Spans count from now."""

    ticket: Ticket
    position: int
    began_at: datetime | None
    waits_for: Ticket | None
    starts: Span | None
    ends: Span | None


def queue(*, by: Principal, at_once: int = 1) -> list[Place]:
    """The places of the tickets that `by` may see, of all that wait or land, `at_once` at a time."""
    queued = Ticket.objects.open().filter(queued_at__isnull=False)
    waiting = list(queued.order_by("queued_at", "id"))
    visible = set(queued.visible_to(by).values_list("pk", flat=True))
    began = _began([ticket.pk for ticket in waiting])
    waiting.sort(key=lambda ticket: ticket.pk not in began)  # what lands is before what waits
    places = [p for p in _places(waiting, began, usual_span(), at_once) if p.ticket.pk in visible]
    return [
        replace(p, waits_for=None) if p.waits_for and p.waits_for.pk not in visible else p for p in places
    ]


def usual_span() -> Span | None:
    """How long a landing takes, by the last ones that went well; None with too few of them."""
    recent = Ticket.objects.filter(current_workflow_step=WorkflowStep.COMPLETE).order_by("-id")[:RECENT]
    times = (
        Ticket.objects.filter(pk__in=list(recent.values_list("pk", flat=True)))
        .annotate(began_at=Min("history__changed_at", filter=BEGUN))
        .exclude(began_at=None)
        .order_by()
        .values_list(F("ended_at"), "began_at")
    )
    seconds = [(ended - began).total_seconds() for ended, began in times]
    if len(seconds) < LEAST:
        return None
    quartiles = statistics.quantiles(seconds, n=4, method="inclusive")
    return Span(quartiles[0], quartiles[2])


def _began(tickets: Sequence[int]) -> Mapping[int, datetime]:
    """When those of the tickets began that did."""
    building = Transition.objects.filter(ticket__in=tickets, workflow_step=WorkflowStep.PACKAGE_BUILDING)
    return dict(building.order_by("-id").values_list("ticket_id", "changed_at"))


def _places(
    tickets: Sequence[Ticket], began: Mapping[int, datetime], usual: Span | None, at_once: int
) -> list[Place]:
    """`free` has, for each ticket that can land at once, when its place is free and after which ticket."""
    free: list[tuple[float, float, int, Ticket | None]] = [(0.0, 0.0, -slot, None) for slot in range(at_once)]
    heapq.heapify(free)
    now = timezone.now()
    places = []
    for position, ticket in enumerate(tickets, 1):
        least, most, _, before = heapq.heappop(free)
        begun = began.get(ticket.pk)
        starts = None if begun else Span(least, most)
        spent = (now - begun).total_seconds() if begun else 0.0
        left = Span(max(0.0, usual.least - spent), max(0.0, usual.most - spent)) if usual else Span(0, 0)
        ends = left if begun else Span(least, most) + left
        heapq.heappush(free, (ends.least, ends.most, position, ticket))
        estimated = usual is not None
        places.append(
            Place(
                ticket,
                position,
                begun,
                None if begun else before,
                starts if estimated else None,
                ends if estimated else None,
            )
        )
    return places
