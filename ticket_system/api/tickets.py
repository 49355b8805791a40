"""Tickets as people see and write them.

Specification: "List tickets", "Create ticket", "Get ticket", "Get open
tickets" and "Get ticket status".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse
from tastypie.fields import ListField

from ci_utils.api.resources import EngineMeta, EngineModelResource, Route, principal_of_request
from ci_utils.api.schema import fields, list_of
from ci_utils.api.tokens import Scope
from ci_utils.errors import InvalidRequest
from ci_utils.hosting import ports
from ticket_system.api import representation
from ticket_system.api.fields import DESCRIPTION_FIELDS, IMAGE_FIELDS, description_of
from ticket_system.domain.landing import cancel_ticket
from ticket_system.domain.retries import retry_ticket
from ticket_system.domain.tickets import TicketDraft, create_ticket, update_ticket
from ticket_system.models import Status, Ticket
from ticket_system.models.tickets import TicketQuerySet

#: Of a text that is looked for; each costs a look at every ticket.
MAX_WORDS = 8
TEXT_LOOKUPS = ["exact", "iexact", "contains", "icontains", "startswith", "istartswith"]
TIME_LOOKUPS = ["gt", "gte", "lt", "lte"]
REQUIRED_FIELDS = {name: DESCRIPTION_FIELDS[name] for name in ("owner", "title")}
OPTIONAL_FIELDS = {**DESCRIPTION_FIELDS, **IMAGE_FIELDS}


def draft_of(data: Mapping[str, Any]) -> TicketDraft:
    """The ticket that a request describes; this engine builds for one series."""
    series = data.get("series") or ports.config().series
    if series != ports.config().series:
        raise InvalidRequest(f"series: this engine builds for {ports.config().series}, not for {series}")
    image = {name: data[name] for name in IMAGE_FIELDS if name in data}
    return TicketDraft(**{**description_of(data), **image, "series": series})


class TicketMeta(EngineMeta):
    """What the views of tickets have in common."""

    queryset = Ticket.objects.all()
    list_allowed_methods = ["get"]
    detail_allowed_methods = ["get"]
    filtering = {
        "id": ["exact", "in", *TIME_LOOKUPS],
        "current_workflow_step": ["exact", "in"],
        "status": ["exact", "in"],
        "owner": TEXT_LOOKUPS,
        "title": TEXT_LOOKUPS,
        "bug_id": ["exact"],
        "submitter": ["exact"],
        "series": ["exact"],
        "private": ["exact"],
        "failed_workflow_step": ["exact", "in"],
        "created_at": TIME_LOOKUPS,
        "queued_at": TIME_LOOKUPS,
        "ended_at": [*TIME_LOOKUPS, "isnull"],
    }
    excludes = ["checksums"]
    ordering = [
        "id",
        "title",
        "owner",
        "current_workflow_step",
        "status",
        "updated_at",
        "created_at",
        "queued_at",
        "ended_at",
    ]
    query_fields = {"source": {"type": "string"}, "text": {"type": "string"}}
    added_fields = representation.NAMES


class TicketView(EngineModelResource):
    """A view of the tickets that the caller may see, newest first.

    `?source=NAME` selects those that bring this source package, `?text=WORDS`
    those with these words in title, description, owner, bug or a source's name.
    """

    add_packages = ListField("add_packages")
    remove_packages = ListField("remove_packages")

    def get_object_list(self, request: HttpRequest) -> TicketQuerySet:
        tickets: TicketQuerySet = super().get_object_list(request).visible_to(principal_of_request(request))
        return tickets

    def obj_get_list(self, bundle: Any, **kwargs: Any) -> TicketQuerySet:
        tickets: TicketQuerySet = super().obj_get_list(bundle, **kwargs)
        source = bundle.request.GET.get("source")
        if source:
            tickets = tickets.filter(subtickets__source_package_upload__sourcepackage__name=source)
        return tickets.with_words(bundle.request.GET.get("text", "").split()[:MAX_WORDS])

    def dehydrate(self, bundle: Any) -> Any:
        bundle.data["step_name"] = bundle.obj.step.label
        bundle.data["status_name"] = Status(bundle.obj.status).label
        bundle.data["retry_of"] = bundle.obj.retry_of_id
        return bundle


class TicketResource(TicketView):
    """`ticket/`: the open tickets; one ticket; making, changing, cancelling and repeating one."""

    class Meta(TicketMeta):
        resource_name = "ticket"
        list_allowed_methods = ["get", "post"]
        detail_allowed_methods = ["get", "patch"]
        cancel_allowed_methods = ["post"]
        retry_allowed_methods = ["post"]
        create_scopes = (Scope.SUBMIT,)
        change_scopes = (Scope.SUBMIT, Scope.SERVICE)
        create_schema = fields(REQUIRED_FIELDS, OPTIONAL_FIELDS)
        change_schema = fields({}, DESCRIPTION_FIELDS)
        cancel_scopes = change_scopes
        retry_scopes = (Scope.SUBMIT,)

    def routes(self) -> list[Route]:
        cancel = Route("/{pk}/cancel", "cancel", "api_cancel_ticket")
        retry = Route("/{pk}/retry", "retry", "api_retry_ticket")
        return [cancel, retry, *super().routes()]

    def obj_get_list(self, bundle: Any, **kwargs: Any) -> TicketQuerySet:
        return super().obj_get_list(bundle, **kwargs).filter(ended_at__isnull=True)

    def create(self, request: HttpRequest, data: Mapping[str, Any]) -> HttpResponse:
        by = principal_of_request(request)
        ticket = create_ticket(draft=draft_of(data), by=by, stores=ports.data_stores())
        return self.answer(request, ticket, status=201)

    def change(self, request: HttpRequest, pk: int, data: Mapping[str, Any]) -> HttpResponse:
        ticket = update_ticket(ticket_id=pk, changes=description_of(data), by=principal_of_request(request))
        return self.answer(request, ticket, status=200)

    def dispatch_cancel(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        """POST stops the ticket; the answer says whether it has ended already."""
        return self.dispatch("cancel", request, **kwargs)

    def post_cancel(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        self.authorize(request, "cancel")
        by = principal_of_request(request)
        ticket = cancel_ticket(ticket_id=int(kwargs["pk"]), by=by, lander=ports.lander())
        return self.answer(request, ticket, status=200 if ticket.ended_at else 202)

    def dispatch_retry(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        """POST queues a new ticket with the contents of one that failed or was cancelled.

        The answer is the new ticket, or the one of an earlier retry that has not ended.
        """
        return self.dispatch("retry", request, **kwargs)

    def post_retry(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        self.authorize(request, "retry")
        retry, created = retry_ticket(
            ticket_id=int(kwargs["pk"]),
            by=principal_of_request(request),
            stores=ports.data_stores(),
            archives=ports.archives(),
            broker=ports.broker(),
        )
        return self.answer(request, retry, status=201 if created else 200)


class OpenTicketsResource(TicketView):
    """`opentickets/`: the tickets that have not ended."""

    class Meta(TicketMeta):
        resource_name = "opentickets"
        queryset = Ticket.objects.open()


class TicketStatusResource(TicketView):
    """`ticketstatus/`: where all tickets are, with what they bring."""

    class Meta(TicketMeta):
        resource_name = "ticketstatus"
        queryset = Ticket.objects.with_sources()
        excludes = [*TicketMeta.excludes, "description", "add_packages", "remove_packages", "base_image"]
        added_fields = {**representation.NAMES, "sources": list_of(representation.SOURCE)}

    def dehydrate(self, bundle: Any) -> Any:
        bundle.data["sources"] = representation.sources(bundle.obj)
        return super().dehydrate(bundle)


class FullTicketResource(TicketView):
    """`fullticket/<id>/`: everything about one ticket."""

    class Meta(TicketMeta):
        resource_name = "fullticket"
        queryset = Ticket.objects.with_everything()
        list_allowed_methods: list[str] = []
        added_fields = {**representation.NAMES, **representation.EVERYTHING}

    def dehydrate(self, bundle: Any) -> Any:
        bundle.data["failed_step_name"] = representation.step_name(bundle.obj.failed_workflow_step)
        bundle.data["subtickets"] = representation.subtickets(bundle.obj)
        bundle.data["artifacts"] = representation.artifacts(bundle.obj)
        bundle.data["history"] = representation.history(bundle.obj)
        return super().dehydrate(bundle)
