"""A ticket with all its parts in one call.

Specification: "TODO: Bundle the ticket creation API".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse

from ci_utils.api.resources import EngineMeta, EngineResource, principal_of_request
from ci_utils.api.schema import ID, LINE, PACKAGE, TEXT, URL, fields, list_of
from ci_utils.api.tokens import Scope
from ci_utils.hosting import ports
from ticket_system.api.fields import NAME
from ticket_system.api.tickets import OPTIONAL_FIELDS, REQUIRED_FIELDS, draft_of
from ticket_system.domain.bundles import ExpectedSource, SourceDraft, create_bundle

MAX_SOURCES = 200
#: A source in the answer; `uploads` has the URL that takes each file.
EXPECTED = fields(
    {
        "source": PACKAGE,
        "version": LINE,
        "subticket": ID,
        "uploads": {"type": "object", "additionalProperties": URL},
    }
)
FILE_TEXT = {"type": "string", "maxLength": 1 << 20}


class BundleResource(EngineResource):
    """`bundle/`: POST makes a ticket with its packages, uploads and subtickets, or nothing."""

    class Meta(EngineMeta):
        resource_name = "bundle"
        list_allowed_methods = ["post"]
        detail_allowed_methods: list[str] = []
        include_resource_uri = False
        create_scopes = (Scope.SUBMIT,)
        create_schema = fields(
            {
                **REQUIRED_FIELDS,
                "sources": list_of(
                    fields({"changes_name": NAME, "changes": FILE_TEXT}, {"dsc": FILE_TEXT}),
                    least=1,
                    most=MAX_SOURCES,
                ),
            },
            OPTIONAL_FIELDS,
        )
        answers = {"post_list": {201: fields({"id": ID, "resource_uri": TEXT, "sources": list_of(EXPECTED)})}}

    def create(self, request: HttpRequest, data: Mapping[str, Any]) -> HttpResponse:
        ticket, sources = create_bundle(
            draft=draft_of(data),
            sources=[SourceDraft(**source) for source in data["sources"]],
            by=principal_of_request(request),
            stores=ports.data_stores(),
            archives=ports.archives(),
        )
        uri = f"/api/v1/ticket/{ticket.pk}/"
        answer = {"id": ticket.pk, "resource_uri": uri, "sources": [_expected(source) for source in sources]}
        return JsonResponse(answer, status=201, headers={"Location": uri})


def _expected(source: ExpectedSource) -> dict[str, Any]:
    return {
        "source": source.changes.source,
        "version": source.changes.version,
        "subticket": source.subticket.pk,
        "uploads": source.uploads,
    }
