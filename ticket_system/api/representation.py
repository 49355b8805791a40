"""The parts of tickets as JSON, where one answer holds more than one object."""

from __future__ import annotations

from typing import Any

from ci_utils.api.schema import ID, LINE, OPTIONAL_TIME, PACKAGE, TEXT, TIME, fields, list_of
from ci_utils.hosting import ports
from ticket_system.models import (
    Status,
    SubTicket,
    SubTicketArtifact,
    Ticket,
    TicketArtifact,
    Transition,
    WorkflowStep,
)

STEP = {"enum": WorkflowStep.values}
STATUS = {"enum": Status.values}
OPTIONAL_SIZE = {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "null"}]}
ARTIFACT = fields(
    {
        "id": ID,
        "name": LINE,
        "type": LINE,
        "reference": TEXT,
        "url": TEXT,
        "size": OPTIONAL_SIZE,
        "created_at": TIME,
    }
)
TRANSITION = fields(
    {"workflow_step": STEP, "step_name": LINE, "status": STATUS, "message": TEXT, "changed_at": TIME}
)
SUBTICKET = fields(
    {
        "id": ID,
        "resource_uri": TEXT,
        "assignee": TEXT,
        "current_workflow_step": STEP,
        "step_name": LINE,
        "status": STATUS,
        "status_name": LINE,
        "message": TEXT,
        "created_at": TIME,
        "updated_at": TIME,
        "ended_at": OPTIONAL_TIME,
        "source_package_upload": fields(
            {"id": ID, "resource_uri": TEXT, "sourcepackage": PACKAGE, "version": LINE}
        ),
        "artifacts": list_of(ARTIFACT),
    }
)

#: Schemas of what the views add to the fields of a ticket.
NAMES: dict[str, dict[str, Any]] = {
    "step_name": LINE,
    "status_name": LINE,
    "retry_of": {"anyOf": [ID, {"type": "null"}]},
}
SOURCE = fields(
    {"subticket": ID, "source": PACKAGE, "version": LINE, "current_workflow_step": STEP, "status": STATUS}
)
EVERYTHING = {
    "failed_step_name": LINE,
    "subtickets": list_of(SUBTICKET),
    "artifacts": list_of(ARTIFACT),
    "history": list_of(TRANSITION),
}


def step_name(step: str) -> str:
    """The name of a workflow step; empty for none."""
    return WorkflowStep(step).label if step else ""


def sources(ticket: Ticket) -> list[dict[str, Any]]:
    """What a ticket brings and how far each is; for a ticket fetched `with_sources`."""
    return [
        {
            "subticket": subticket.pk,
            "source": subticket.source_package_upload.sourcepackage.name,
            "version": subticket.source_package_upload.version,
            "current_workflow_step": subticket.current_workflow_step,
            "status": subticket.status,
        }
        for subticket in ticket.subtickets.all()
    ]


def subtickets(ticket: Ticket) -> list[dict[str, Any]]:
    """The subtickets of a ticket fetched `with_everything`."""
    return [_subticket(subticket, ticket) for subticket in ticket.subtickets.all()]


def artifacts(ticket: Ticket) -> list[dict[str, Any]]:
    """The ticket's own artifacts."""
    return [_artifact(artifact, ticket) for artifact in ticket.artifacts.all()]


def history(ticket: Ticket) -> list[dict[str, Any]]:
    """All changes of a ticket's state, oldest first."""
    return [_transition(transition) for transition in ticket.history.all()]


def _subticket(subticket: SubTicket, ticket: Ticket) -> dict[str, Any]:
    upload = subticket.source_package_upload
    return {
        "id": subticket.pk,
        "resource_uri": f"/api/v1/subticket/{subticket.pk}/",
        "assignee": subticket.assignee,
        "current_workflow_step": subticket.current_workflow_step,
        "step_name": subticket.step.label,
        "status": subticket.status,
        "status_name": Status(subticket.status).label,
        "message": subticket.message,
        "created_at": subticket.created_at,
        "updated_at": subticket.updated_at,
        "ended_at": subticket.ended_at,
        "source_package_upload": {
            "id": upload.pk,
            "resource_uri": f"/api/v1/spu/{upload.pk}/",
            "sourcepackage": upload.sourcepackage.name,
            "version": upload.version,
        },
        "artifacts": [_artifact(artifact, ticket) for artifact in subticket.artifacts.all()],
    }


def _artifact(artifact: TicketArtifact | SubTicketArtifact, ticket: Ticket) -> dict[str, Any]:
    return {
        "id": artifact.pk,
        "name": artifact.name,
        "type": artifact.type,
        "reference": artifact.reference,
        "url": ports.readable_url(artifact.reference) if ticket.private else artifact.reference,
        "size": artifact.size,
        "created_at": artifact.created_at,
    }


def _transition(transition: Transition) -> dict[str, Any]:
    return {
        "workflow_step": transition.workflow_step,
        "step_name": step_name(transition.workflow_step),
        "status": transition.status,
        "message": transition.message,
        "changed_at": transition.changed_at,
    }
