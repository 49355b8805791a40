"""The resource of an operation that takes long: accepted at once, done once by a worker."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse

from ci_utils.api.resources import EngineMeta, EngineResource
from ci_utils.api.schema import TRIGGER
from ci_utils.api.tokens import Scope
from ci_utils.errors import InvalidRequest
from ci_utils.hosting import ports
from ci_utils.work_queue import requests
from ci_utils.work_queue.models import WorkRequest


class WorkMeta(EngineMeta):
    """Meta of work resources; subclasses add resource_name, queue and create_schema."""

    list_allowed_methods = ["post"]
    detail_allowed_methods: list[str] = []
    create_scopes = (Scope.SERVICE, Scope.OPERATE)
    include_resource_uri = False
    answers = {
        "post_list": {
            202: {
                "type": "object",
                "properties": {
                    "state": {"enum": WorkRequest.State.values},
                    "progress_trigger": TRIGGER,
                    "exit": {"const": True},
                },
                "required": ["state", "progress_trigger"],
            }
        }
    }


class WorkResource(EngineResource):
    """POST accepts a request; `progress_trigger` makes it idempotent.

    Answers 202 with {"state", "progress_trigger"} and, once the work has
    ended, the fields of its last progress message, so that a caller who missed
    that message gets it by asking again.
    """

    def check(self, data: Mapping[str, Any]) -> None:
        """Raise `InvalidRequest` for what a schema cannot say."""

    def accept(self, data: Mapping[str, Any]) -> WorkRequest:
        """Record the request; the same again is the one that is there."""
        accepted, _ = requests.accept(self._meta.queue, data["progress_trigger"], data, broker=ports.broker())
        return accepted

    def create(self, request: HttpRequest, data: Mapping[str, Any]) -> HttpResponse:
        _check_cancel_url(data.get("cancel_url"))
        self.check(data)
        accepted = self.accept(data)
        answer: dict[str, Any] = {"state": accepted.state, "progress_trigger": accepted.key}
        if accepted.ended:
            answer = {**answer, "exit": True, **(accepted.result or {})}
        return JsonResponse(answer, status=202)


def _check_cancel_url(url: str | None) -> None:
    """Only the lander is asked whether to go on: workers fetch the URL with the services' token."""
    jobs = f"{ports.config().service_url('lander')}/api/v1/"
    if url and not url.startswith(jobs):
        raise InvalidRequest(f"cancel_url: it must begin with {jobs}, where the lander answers")
