"""`ppa/`: list, populate, get and release. Specification: chapter "PPA Assigner", "REST APIs"."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse

from ci_utils.api.resources import EngineMeta, EngineModelResource, principal_of_request
from ci_utils.api.schema import ID, ID_OR_TEXT, fields, read_json
from ci_utils.api.tokens import Scope
from ci_utils.hosting import ports
from ppa_assigner.domain import pool
from ppa_assigner.models import PPA


class PPAResource(EngineModelResource):
    """The archives of the pool: `id`, `name`, `state`, `ticket_id`, `changed_at`.

    GET lists them; PATCH of the list with {"populate": true} takes over the
    owner's archives; POST {"ticket_id"} reserves one (404 if none is free);
    PATCH of one with {"state": "dirty"} releases it. Which ticket holds an
    archive is for operators and services.
    """

    class Meta(EngineMeta):
        resource_name = "ppa"
        queryset = PPA.objects.order_by("name")
        list_allowed_methods = ["get", "post", "patch"]
        detail_allowed_methods = ["get", "patch"]
        filtering = {"state": ["exact"], "ticket_id": ["exact"], "name": ["exact"]}
        # Archives are filled and emptied after these answers: that must not be forgotten.
        settles_services = True
        create_scopes = change_scopes = populate_scopes = (Scope.SERVICE, Scope.OPERATE)
        create_schema = fields({"ticket_id": ID_OR_TEXT})
        change_schema = fields({"state": {"const": "dirty"}}, {"ticket_id": ID})
        populate_schema = fields({"populate": {"const": True}})

    def obj_get_list(self, bundle: Any, **kwargs: Any) -> Any:
        # A filter may have its operator behind it: ticket_id__exact.
        if any(name.partition("__")[0] == "ticket_id" for name in bundle.request.GET):
            principal_of_request(bundle.request).require(Scope.OPERATE, Scope.SERVICE)
        return super().obj_get_list(bundle, **kwargs)

    def dehydrate_ticket_id(self, bundle: Any) -> int | None:
        """Who holds the archive; the ticket may be private."""
        held: int | None = bundle.obj.ticket_id
        return held if principal_of_request(bundle.request).sees_all else None

    def create(self, request: HttpRequest, data: Mapping[str, Any]) -> HttpResponse:
        ppa, reserved = pool.reserve(ticket_id=int(data["ticket_id"]))
        return self.answer(request, ppa, status=201 if reserved else 200)

    def change(self, request: HttpRequest, pk: int, data: Mapping[str, Any]) -> HttpResponse:
        ppa = pool.release(ppa_id=pk, ticket_id=data.get("ticket_id"))
        return self.answer(request, ppa, status=200)

    def patch_list(self, request: HttpRequest, **_: Any) -> HttpResponse:
        self.authorize(request, "populate")
        read_json(request, self._meta.populate_schema)
        pool.populate(archives=ports.archives())
        response: HttpResponse = self.get_list(request)
        return response
