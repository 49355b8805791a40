"""Where tickets and subtickets are, as the command line and the lander tell it.

Specification: "Update ticket status", "Mark ticket complete", "Update subticket status".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse

from ci_utils.api.resources import EngineMeta, EngineResource, principal_of_request
from ci_utils.api.schema import ID, LINE, TEXT, fields
from ci_utils.api.tokens import Scope
from ci_utils.hosting import ports
from ticket_system.api.fields import STATUS, STEP, report_of
from ticket_system.domain.reports import report_subticket, update_ticket_status
from ticket_system.models import Status, SubTicket, Ticket, WorkflowStep

PROGRESS_FIELDS = {"current_workflow_step": STEP, "status": STATUS, "message": TEXT}


def _answer(moved: Ticket | SubTicket) -> JsonResponse:
    return JsonResponse(
        {
            "id": moved.pk,
            "current_workflow_step": moved.current_workflow_step,
            "step_name": moved.step.label,
            "status": moved.status,
            "message": moved.message,
        }
    )


class ReportMeta(EngineMeta):
    """PATCH of one object only."""

    list_allowed_methods: list[str] = []
    detail_allowed_methods = ["patch"]
    include_resource_uri = False
    answers = {
        "patch_detail": {
            200: fields(
                {
                    "id": ID,
                    "current_workflow_step": {"enum": WorkflowStep.values},
                    "step_name": LINE,
                    "status": {"enum": Status.values},
                    "message": TEXT,
                }
            )
        }
    }


class UpdateTicketStatusResource(EngineResource):
    """`updateticketstatus/<id>/`: queue a ticket (step 100) or report on it."""

    class Meta(ReportMeta):
        resource_name = "updateticketstatus"
        change_scopes = (Scope.SUBMIT, Scope.SERVICE)
        change_schema = {
            **fields({}, {**PROGRESS_FIELDS, "failed_workflow_step": STEP, "log_url": LINE}),
            "minProperties": 1,
        }

    def change(self, request: HttpRequest, pk: int, data: Mapping[str, Any]) -> HttpResponse:
        ticket = update_ticket_status(
            ticket_id=pk,
            report=report_of(data),
            by=principal_of_request(request),
            stores=ports.data_stores(),
            archives=ports.archives(),
            broker=ports.broker(),
        )
        return _answer(ticket)


class UpdateSubTicketStatusResource(EngineResource):
    """`updatesubticketstatus/<id>/`: report on a subticket."""

    class Meta(ReportMeta):
        resource_name = "updatesubticketstatus"
        change_scopes = (Scope.SERVICE,)
        change_schema = {**fields({}, PROGRESS_FIELDS), "minProperties": 1}

    def change(self, request: HttpRequest, pk: int, data: Mapping[str, Any]) -> HttpResponse:
        return _answer(report_subticket(subticket_id=pk, report=report_of(data)))
