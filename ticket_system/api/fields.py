"""Fields of requests that the ticket system's resources share, and how they are read.

The specification writes numbers as strings in some places and as numbers in
others, and names objects by their path; both forms are taken.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ci_utils.api.schema import ID, LINE, PACKAGE, SERIES, TEXT, list_of
from ticket_system.domain.progress import Report
from ticket_system.models import Status, WorkflowStep

OWNER = {"type": "string", "maxLength": 254, "pattern": r"^[^@\s]+@[^@\s]+\Z"}
TITLE = {**LINE, "minLength": 1, "pattern": r"^[^\n\r]*\S[^\n\r]*\Z"}
NAME = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": r"^[^\x00-\x1f/]+\Z"}
BUG = {"anyOf": [LINE, {**ID, "minimum": 0}]}
STEP = {"enum": [*WorkflowStep.values, *map(int, WorkflowStep.values)]}
STATUS = {"enum": [*Status.values, *map(int, Status.values)]}

#: What a ticket's submitter writes; the rest of a ticket is the engine's.
DESCRIPTION_FIELDS = {"title": TITLE, "description": TEXT, "owner": OWNER, "bug_id": BUG}
IMAGE_FIELDS = {
    "series": SERIES,
    "base_image": LINE,
    "add_packages": list_of(PACKAGE),
    "remove_packages": list_of(PACKAGE),
    "private": {"type": "boolean"},
}


def uri_of(resource: str) -> dict[str, Any]:
    """Schema of a reference to an object: its path, its URL or its number."""
    path = rf"^(https?://[^/\s]+)?/api/v1/{resource}/[1-9][0-9]{{0,8}}/?\Z"
    return {"anyOf": [{"type": "string", "maxLength": 4096, "pattern": path}, ID]}


def number_of(reference: str | int) -> int:
    """The number of the object that a checked reference names."""
    return int(re.findall(r"[0-9]+", str(reference))[-1])


def description_of(data: Mapping[str, Any]) -> dict[str, str]:
    """Those of the fields that a submitter writes which a request has."""
    return {name: str(data[name]) for name in DESCRIPTION_FIELDS if name in data}


def report_of(data: Mapping[str, Any]) -> Report:
    """The report in a status update."""
    return Report(
        step=_code(WorkflowStep, data.get("current_workflow_step")),
        status=_code(Status, data.get("status")),
        message=data.get("message"),
        failed_step=_code(WorkflowStep, data.get("failed_workflow_step")),
        log_url=data.get("log_url"),
    )


def _code(kind: Any, value: str | int | None) -> Any:
    return None if value is None else kind(str(value).zfill(3))
