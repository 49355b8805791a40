"""`execute_request`, `cancel_request` and `job`. Specification: chapter "Lander", "API"."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, JsonResponse
from tastypie.fields import DictField

from ci_utils.api.resources import (
    EngineMeta,
    EngineModelResource,
    EngineResource,
    Route,
    principal_of_request,
)
from ci_utils.api.schema import (
    BOOLEAN,
    CHECKSUMS,
    ID,
    ID_OR_TEXT,
    LINE,
    OPTIONAL_TIME,
    OPTIONAL_URL,
    PACKAGE,
    PLAIN_TEXT,
    SERIES,
    TEXT,
    TIME,
    TRIGGER,
    URL,
    fields,
    list_of,
)
from ci_utils.api.work import WorkMeta, WorkResource
from ci_utils.errors import InvalidRequest
from ci_utils.hosting import ports
from ci_utils.work_queue.models import WorkRequest
from lander.domain import jobs
from lander.domain.console import console_text, stage_text
from lander.domain.stage_times import recent_stage_times
from lander.models import ChildJob, MasterJob

STAGE = fields(
    {
        "stage": TEXT,
        "state": {"enum": ChildJob.State.values},
        "message": TEXT,
        "parameters": {"type": "object"},
        "result": {"type": "object"},
        "started_at": OPTIONAL_TIME,
        "ended_at": OPTIONAL_TIME,
    }
)
STAGE_TIME = fields(
    {
        "ticket_id": ID,
        "stage": TEXT,
        "state": {"enum": ChildJob.State.values},
        "ended_at": TIME,
        "seconds": {"type": "number", "minimum": 0},
    }
)
MAX_DIGITS = 10
SUBTICKET = fields({"id": ID, "source": PACKAGE, "version": LINE}, {"artifacts": list_of(URL)})


class ExecuteRequestResource(WorkResource):
    """POST: land a ticket. Tickets are landed one after another, in the order they came.

    `source_packages` are data-store URLs of all files of all sources;
    `binary_packages` are added to the image and `remove_packages` removed;
    `subtickets` says which of the ticket's subtickets brings which source,
    and `checksums` what the files were when the ticket was queued.
    """

    class Meta(WorkMeta):
        resource_name = "execute_request"
        queue = jobs.QUEUE
        create_schema = fields(
            {
                "ticket": ID_OR_TEXT,
                "source_packages": list_of(URL, least=1),
                "series": SERIES,
                "progress_trigger": TRIGGER,
            },
            {
                "binary_packages": list_of(PACKAGE),
                "remove_packages": list_of(PACKAGE),
                "base_image": LINE,
                "checksums": CHECKSUMS,
                "cancel_url": OPTIONAL_URL,
                "subtickets": list_of(SUBTICKET),
                "private": {"type": "boolean"},
            },
        )

    def check(self, data: Mapping[str, Any]) -> None:
        brought = [url for subticket in data.get("subtickets", []) for url in subticket.get("artifacts", [])]
        base = data.get("base_image", "")
        for url in (*data["source_packages"], *brought, *([base] if "/" in base else [])):
            ports.data_stores().locate(url)

    def accept(self, data: Mapping[str, Any]) -> WorkRequest:
        return jobs.accept(data, broker=ports.broker())


class CancelRequestResource(WorkResource):
    """POST {"progress_trigger"}: stop the job of an `execute_request`; answers 202 and stops soon after."""

    class Meta(WorkMeta):
        resource_name = "cancel_request"
        create_schema = fields({"progress_trigger": TRIGGER})
        answers = {"post_list": {202: fields({"progress_trigger": TRIGGER, "building": BOOLEAN})}}

    def create(self, request: HttpRequest, data: Mapping[str, Any]) -> HttpResponse:
        job = jobs.cancel(data["progress_trigger"])
        return JsonResponse({"progress_trigger": job.progress_trigger, "building": job.building}, status=202)


class JobResource(EngineModelResource):
    """Master jobs, newest first: who asked for what, how far it is, and what each stage left behind.

    `building` says whether the job's work is still wanted (the address of a
    job is the `cancel_url` of its stages); `job/ID/console/` is all that its
    stages printed, as plain text, and with `?stage=NAME&after=LINES` what one
    of them printed after its first lines.
    """

    parameters = DictField("parameters")
    result = DictField("result", null=True)

    class Meta(EngineMeta):
        resource_name = "job"
        queryset = MasterJob.objects.prefetch_related("stages")
        list_allowed_methods = ["get"]
        detail_allowed_methods = ["get"]
        console_allowed_methods = ["get"]
        excludes = ["private"]
        filtering = {"ticket_id": ["exact"], "state": ["exact"], "progress_trigger": ["exact"]}
        ordering = ["id", "created_at", "ended_at"]
        answers = {"get_console": {200: PLAIN_TEXT}}
        part_fields = {"get_console": {"stage": TEXT, "after": {"type": "integer", "minimum": 0}}}
        added_fields = {"building": BOOLEAN, "console": TEXT, "stages": list_of(STAGE)}

    def routes(self) -> list[Route]:
        return [Route("/{pk}/console", "console", "api_job_console"), *super().routes()]

    def dispatch_console(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        return self.dispatch("console", request, **kwargs)

    def get_console(self, request: HttpRequest, *, pk: str, **_: Any) -> HttpResponse:
        job = self.get_object_list(request).get(pk=pk)
        stage, after = request.GET.get("stage"), request.GET.get("after", "0")
        if stage is None:
            text = console_text(job.stages.prefetch_related("console"))
        else:
            text = stage_text(job.stages.get(stage=stage), after=_lines(after))
        return HttpResponse(text, content_type="text/plain; charset=utf-8")

    def get_object_list(self, request: HttpRequest) -> QuerySet[MasterJob]:
        return self._meta.queryset.visible_to(principal_of_request(request))  # type: ignore[no-any-return]

    def dehydrate(self, bundle: Any) -> Any:
        bundle.data["building"] = bundle.obj.building
        bundle.data["console"] = f"{bundle.data['resource_uri'].rstrip('/')}/console/"
        bundle.data["stages"] = [_stage(child) for child in bundle.obj.stages.all()]
        return bundle


class StageTimesResource(EngineResource):
    """`stagetimes/`: how long the stages of the last jobs took, the latest job first.

    Only stages that were done or failed; `seconds` from their beginning to their end.
    """

    class Meta(EngineMeta):
        resource_name = "stagetimes"
        list_allowed_methods = ["get"]
        detail_allowed_methods: list[str] = []
        include_resource_uri = False
        answers = {"get_list": {200: fields({"objects": list_of(STAGE_TIME)})}}

    def get_list(self, request: HttpRequest, **_: Any) -> HttpResponse:
        times = recent_stage_times(by=principal_of_request(request))
        response: HttpResponse = self.create_response(request, {"objects": [vars(time) for time in times]})
        return response


def _lines(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < MAX_DIGITS):
        raise InvalidRequest("after: it must be a number of lines")
    return int(text)


def _stage(child: ChildJob) -> dict[str, Any]:
    return {
        "stage": child.stage,
        "state": child.state,
        "message": child.message,
        "parameters": child.parameters,
        "result": child.result,
        "started_at": child.started_at,
        "ended_at": child.ended_at,
    }
