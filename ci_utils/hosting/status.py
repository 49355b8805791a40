"""`GET /api/v1/status`: every hosted service, in one answer; `ready`: whether they can work.

Specification: the `status` section of each service's chapter.
"""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse

from ci_utils.api.resources import EngineMeta, EngineResource, numbers_of, principal_of_request
from ci_utils.api.schema import fields
from ci_utils.hosting import services
from ci_utils.hosting.needs import Readiness


class ReadyResource(EngineResource):
    """Whether this process could do its work: 200, or 503 with a sentence for each thing that is missing.

    For load balancers and supervisors. It looks at the database and its
    migrations, the broker and the stores of the hosted services.
    """

    class Meta(EngineMeta):
        resource_name = "ready"
        list_allowed_methods = ["get"]
        detail_allowed_methods: list[str] = []
        answers = {"get_list": {200: fields({"ready": {"const": True}})}}

    _readiness = Readiness(services.hosted())

    def get_list(self, request: HttpRequest, **_: Any) -> HttpResponse:
        self._readiness.require()
        response: HttpResponse = self.create_response(request, {"ready": True})
        return response


class StatusResource(EngineResource):
    """Status of all hosted services under `services`; what names tickets is for operators and services."""

    class Meta(EngineMeta):
        resource_name = "status"
        list_allowed_methods = ["get"]
        detail_allowed_methods: list[str] = []
        answers = {"get_list": {200: fields({"services": {"type": "object"}})}}

    def get_list(self, request: HttpRequest, **_: Any) -> HttpResponse:
        found = services.status()
        if not principal_of_request(request).sees_all:
            found = {name: numbers_of(status) for name, status in found.items()}
        response: HttpResponse = self.create_response(request, {"services": found})
        return response
