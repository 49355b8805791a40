"""Many files of one ticket in one call: what the lander leaves behind of a stage and of a landing.

Specification: "Create artifact", which has one call per file.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse

from ci_utils.api.resources import EngineMeta, EngineResource, principal_of_request
from ci_utils.api.schema import URL, fields, list_of
from ci_utils.api.tokens import Scope
from ci_utils.hosting import ports
from ticket_system.api.fields import NAME, number_of, uri_of
from ticket_system.domain.artifacts import FileReport, add_ticket_artifacts
from ticket_system.models import TicketArtifact

MAX_FILES = 1000
FILE = fields({"name": NAME, "reference": URL, "type": {"enum": TicketArtifact.Type.values}})


class TicketArtifactsResource(EngineResource):
    """`ticketartifacts/`: POST attaches files to a ticket, all or none; a name again replaces the file."""

    class Meta(EngineMeta):
        resource_name = "ticketartifacts"
        list_allowed_methods = ["post"]
        detail_allowed_methods: list[str] = []
        include_resource_uri = False
        create_scopes = (Scope.SERVICE,)
        create_schema = fields({"ticket": uri_of("ticket"), "artifacts": list_of(FILE, most=MAX_FILES)})
        answers = {"post_list": {201: fields({"artifacts": {"type": "integer", "minimum": 0}})}}

    def create(self, request: HttpRequest, data: Mapping[str, Any]) -> HttpResponse:
        files = [FileReport(**file) for file in data["artifacts"]]
        count = add_ticket_artifacts(
            ticket_id=number_of(data["ticket"]),
            files=files,
            by=principal_of_request(request),
            stores=ports.data_stores(),
        )
        return JsonResponse({"artifacts": count}, status=201)
