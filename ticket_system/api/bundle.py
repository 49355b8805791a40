"""A ticket with all its parts in one call.

Specification: "TODO: Bundle the ticket creation API".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse

from ci_utils.api.resources import EngineMeta, EngineResource, principal_of_request
from ci_utils.api.schema import ID, LINE, PACKAGE, TEXT, URL, fields, list_of
from ci_utils.api.tokens import Scope
from ci_utils.errors import InvalidRequest
from ci_utils.hosting import ports
from ticket_system.api.fields import NAME
from ticket_system.api.tickets import OPTIONAL_FIELDS, REQUIRED_FIELDS, draft_of
from ticket_system.domain.bundles import ExpectedSource, SourceDraft, create_bundle
from ticket_system.domain.idempotency import KeyedRequest

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
ANSWER = fields({"id": ID, "resource_uri": TEXT, "sources": list_of(EXPECTED)})
IDEMPOTENCY_KEY = "Idempotency-Key"
KEY = {"type": "string", "pattern": r"^[\x21-\x7e]{1,255}\Z"}
FILE_TEXT = {"type": "string", "maxLength": 1 << 20}


class BundleResource(EngineResource):
    """`bundle/`: POST makes a ticket with its packages, uploads and subtickets, or nothing.

    A request with an `Idempotency-Key` may be sent again: it is answered with
    the ticket that it made, and with new URLs for the files.
    """

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
        answers = {"post_list": {200: ANSWER, 201: ANSWER}}
        header_fields = {"post_list": {IDEMPOTENCY_KEY: KEY}}

    def create(self, request: HttpRequest, data: Mapping[str, Any]) -> HttpResponse:
        bundle = create_bundle(
            draft=draft_of(data),
            sources=[SourceDraft(**source) for source in data["sources"]],
            by=principal_of_request(request),
            stores=ports.data_stores(),
            archives=ports.archives(),
            request=_keyed(request, data),
        )
        uri = f"/api/v1/ticket/{bundle.ticket.pk}/"
        answer = {
            "id": bundle.ticket.pk,
            "resource_uri": uri,
            "sources": [_expected(source) for source in bundle.sources],
        }
        return JsonResponse(answer, status=201 if bundle.new else 200, headers={"Location": uri})


def _keyed(request: HttpRequest, data: Mapping[str, Any]) -> KeyedRequest | None:
    """The request as one that may come again, if it has a key."""
    key = request.headers.get(IDEMPOTENCY_KEY)
    if key is None:
        return None
    if not re.fullmatch(KEY["pattern"], key):
        raise InvalidRequest(f"{IDEMPOTENCY_KEY}: it must have 1 to 255 visible ASCII characters")
    return KeyedRequest.of(key, data)


def _expected(source: ExpectedSource) -> dict[str, Any]:
    return {
        "source": source.source,
        "version": source.version,
        "subticket": source.subticket.pk,
        "uploads": source.uploads,
    }
