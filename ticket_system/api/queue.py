"""The queue as a whole, and how many tickets are where: what an overview needs of all tickets at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import Count
from django.http import HttpRequest, HttpResponse

from ci_utils.api.resources import EngineMeta, EngineResource, principal_of_request
from ci_utils.api.schema import ID, LINE, OPTIONAL_TIME, fields, list_of
from ci_utils.errors import InvalidRequest
from ci_utils.hosting import ports
from ticket_system.api.representation import STATUS, STEP
from ticket_system.domain.queue_estimates import Place, Span, queue
from ticket_system.models import Ticket

MAX_DIGITS = 12
NUMBER = {"type": "integer", "minimum": 0}
SECONDS = {"type": "number", "minimum": 0}
SPAN = {"anyOf": [fields({"least": SECONDS, "most": SECONDS}), {"type": "null"}]}
PLACE = fields(
    {
        "ticket": ID,
        "title": LINE,
        "position": {"type": "integer", "minimum": 1},
        "began_at": OPTIONAL_TIME,
        "waits_for": {"anyOf": [ID, {"type": "null"}]},
        "starts_in": SPAN,
        "ends_in": SPAN,
    }
)
COUNT = fields({"current_workflow_step": STEP, "status": STATUS, "tickets": NUMBER})


class QueueResource(EngineResource):
    """`queue/`: the tickets that land or wait for it, in their order, with estimates in seconds from now.

    `starts_in` and `ends_in` are ranges by how long recent landings took, and
    null where too few are known; `waits_for` is the ticket that must end first.
    `?limit=` gives the first only, `?ticket=` the place of one.
    """

    class Meta(EngineMeta):
        resource_name = "queue"
        list_allowed_methods = ["get"]
        detail_allowed_methods: list[str] = []
        include_resource_uri = False
        part_fields = {"get_list": {"limit": NUMBER, "ticket": NUMBER}}
        answers = {
            "get_list": {
                200: fields({"meta": fields({"total_count": NUMBER}), "objects": list_of(PLACE)}),
            }
        }

    def get_list(self, request: HttpRequest, **_: Any) -> HttpResponse:
        limit, ticket = _asked(request, "limit"), _asked(request, "ticket")
        places = queue(by=principal_of_request(request), at_once=ports.config().concurrent_tickets)
        if ticket is not None:
            places = [place for place in places if place.ticket.pk == ticket]
        shown = [_place(place) for place in places[: limit or None]]
        answer = {"meta": {"total_count": len(places)}, "objects": shown}
        response: HttpResponse = self.create_response(request, answer)
        return response


class TicketCountsResource(EngineResource):
    """`ticketcounts/`: how many of the tickets that the caller may see are at each step, by status."""

    class Meta(EngineMeta):
        resource_name = "ticketcounts"
        list_allowed_methods = ["get"]
        detail_allowed_methods: list[str] = []
        include_resource_uri = False
        answers = {"get_list": {200: fields({"objects": list_of(COUNT)})}}

    def get_list(self, request: HttpRequest, **_: Any) -> HttpResponse:
        visible = Ticket.objects.visible_to(principal_of_request(request)).order_by()
        counts = visible.values("current_workflow_step", "status").annotate(tickets=Count("id"))
        response: HttpResponse = self.create_response(request, {"objects": list(counts)})
        return response


def _asked(request: HttpRequest, name: str) -> int | None:
    """A number of the query, if it is there."""
    text = request.GET.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS):
        raise InvalidRequest(f"{name}: it must be a number")
    return int(text)


def _place(place: Place) -> Mapping[str, Any]:
    return {
        "ticket": place.ticket.pk,
        "title": place.ticket.title,
        "position": place.position,
        "began_at": place.began_at,
        "waits_for": place.waits_for.pk if place.waits_for else None,
        "starts_in": _span(place.starts),
        "ends_in": _span(place.ends),
    }


def _span(span: Span | None) -> Mapping[str, float] | None:
    return {"least": round(span.least), "most": round(span.most)} if span else None
