"""A ticket as the ticket system tells of it (`fullticket`), for showing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

#: Names of the workflow steps. Specification: "Get ticket status".
STEP_NAMES = {
    "000": "New",
    "100": "Queued",
    "200": "Package Building",
    "300": "Image Building",
    "400": "Image Testing",
    "500": "Package Publishing",
    "999": "Failed",
    "1000": "Complete",
}
NEW, FAILED, COMPLETE = "000", "999", "1000"
CANCELLED = "998"


@dataclass(frozen=True)
class StepTime:
    """When a ticket came to a step, and how long it stayed; None while it is there."""

    step: str
    began_at: datetime
    seconds: float | None


@dataclass(frozen=True)
class Ticket:
    """What `ubuntu-ci` shows of a ticket; built by `read_ticket`."""

    id: int
    title: str
    owner: str
    step: str
    status: str
    message: str
    failed_step: str
    log_url: str
    steps: Sequence[StepTime]
    sources: Sequence[str]
    artifacts: Sequence[Mapping[str, str]]

    @property
    def ended(self) -> bool:
        return self.step in (FAILED, COMPLETE)

    @property
    def cancelled(self) -> bool:
        return self.step == FAILED and self.status == CANCELLED

    @property
    def state(self) -> str:
        """Where it is, in words."""
        if self.cancelled:
            return "Cancelled"
        name = step_name(self.step)
        return f"{name} at {step_name(self.failed_step)}" if self.failed_step else name


def step_name(step: str) -> str:
    """The name of a workflow step by its number."""
    return STEP_NAMES.get(step, step)


def read_ticket(data: Mapping[str, Any]) -> Ticket:
    """A ticket from the JSON of `fullticket`."""
    subtickets = data.get("subtickets", [])
    return Ticket(
        id=int(data["id"]),
        title=_text(data, "title"),
        owner=_text(data, "owner"),
        step=_text(data, "current_workflow_step"),
        status=_text(data, "status"),
        message=_text(data, "message"),
        failed_step=_text(data, "failed_workflow_step"),
        log_url=_text(data, "log_url"),
        steps=_step_times(data.get("history", [])),
        sources=[_source(subticket) for subticket in subtickets],
        artifacts=[
            {key: _text(artifact, key) for key in ("type", "name", "reference")}
            for owner in (data, *subtickets)
            for artifact in owner.get("artifacts", [])
        ],
    )


def _text(data: Mapping[str, Any], key: str) -> str:
    value = data.get(key)
    return "" if value is None else str(value)


def _source(subticket: Mapping[str, Any]) -> str:
    upload = subticket["source_package_upload"]
    return f"{upload['sourcepackage']['name']} {upload['version']}"


def _step_times(history: Sequence[Mapping[str, Any]]) -> list[StepTime]:
    """One entry per step that the ticket came to, from its history of changes."""
    began: dict[str, datetime] = {}
    for change in history:
        began.setdefault(str(change["workflow_step"]), _time(change["changed_at"]))
    ends = [*began.values(), None][1:]
    return [
        StepTime(step, at, (end - at).total_seconds() if end else None)
        for (step, at), end in zip(began.items(), ends, strict=True)
    ]


def _time(value: str) -> datetime:
    time = datetime.fromisoformat(value)
    return time if time.tzinfo else time.replace(tzinfo=UTC)
