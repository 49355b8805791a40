"""A ticket as the ticket system tells of it (`fullticket`), for showing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

#: Workflow steps and the status that mean something here. Specification: "Get ticket status".
FAILED, COMPLETE = "999", "1000"
CANCELLED = "998"


@dataclass(frozen=True)
class StepTime:
    """When a ticket came to a step, and how long it stayed; None while it is there."""

    step: str
    name: str
    began_at: datetime
    seconds: float | None


@dataclass(frozen=True)
class Artifact:
    """A file of a ticket: `type` is SPU, LOGS, RESULTS or IMAGE, `url` reads it."""

    type: str
    name: str
    url: str


@dataclass(frozen=True)
class Ticket:
    """What `ubuntu-ci` shows of a ticket; built by `read_ticket`."""

    id: int
    title: str
    owner: str
    step: str
    step_name: str
    status: str
    message: str
    failed_step: str
    failed_step_name: str
    log_url: str
    steps: Sequence[StepTime]
    sources: Sequence[str]
    artifacts: Sequence[Artifact]

    @property
    def ended(self) -> bool:
        return self.step in (FAILED, COMPLETE)

    @property
    def summary(self) -> dict[str, object]:
        """Where it is, for programs."""
        names = ("id", "step", "step_name", "status", "message", "failed_step", "failed_step_name", "log_url")
        return {name: getattr(self, name) for name in names} | {"state": self.state, "ended": self.ended}

    @property
    def cancelled(self) -> bool:
        return self.step == FAILED and self.status == CANCELLED

    @property
    def state(self) -> str:
        """Where it is, in words."""
        if self.cancelled:
            return "Cancelled"
        return f"{self.step_name} at {self.failed_step_name}" if self.failed_step_name else self.step_name


def read_ticket(data: Mapping[str, Any]) -> Ticket:
    """A ticket from the JSON of `fullticket`, or of `ticketstatus`, which tells less."""
    subtickets = data.get("subtickets", [])
    files = [artifact for owner in (data, *subtickets) for artifact in owner.get("artifacts", [])]
    return Ticket(
        id=int(data["id"]),
        title=_text(data, "title"),
        owner=_text(data, "owner"),
        step=_text(data, "current_workflow_step"),
        step_name=_text(data, "step_name"),
        status=_text(data, "status"),
        message=_text(data, "message"),
        failed_step=_text(data, "failed_workflow_step"),
        failed_step_name=_text(data, "failed_step_name"),
        log_url=_readable(_text(data, "log_url"), files),
        steps=_step_times(data.get("history", [])),
        sources=[_source(subticket["source_package_upload"]) for subticket in subtickets],
        artifacts=[
            Artifact(_text(artifact, "type"), _text(artifact, "name"), _text(artifact, "url"))
            for artifact in files
        ],
    )


def _readable(reference: str, files: Sequence[Mapping[str, Any]]) -> str:
    """The URL under which this user reads a file of the ticket: those of private tickets are signed."""
    return next((_text(file, "url") for file in files if file.get("reference") == reference), reference)


def _text(data: Mapping[str, Any], key: str) -> str:
    value = data.get(key)
    return "" if value is None else str(value)


def _source(upload: Mapping[str, Any]) -> str:
    return f"{upload['sourcepackage']} {upload['version']}"


def _step_times(history: Sequence[Mapping[str, Any]]) -> list[StepTime]:
    """One entry per step that the ticket came to, from its history of changes."""
    first = {str(change["workflow_step"]): change for change in reversed(history)}
    came = [first[step] for step in dict.fromkeys(str(change["workflow_step"]) for change in history)]
    times = [_time(change["changed_at"]) for change in came]
    return [
        StepTime(
            step=str(change["workflow_step"]),
            name=_text(change, "step_name"),
            began_at=began,
            seconds=(end - began).total_seconds() if end else None,
        )
        for change, began, end in zip(came, times, [*times, None][1:], strict=True)
    ]


def _time(value: str) -> datetime:
    time = datetime.fromisoformat(value)
    return time if time.tzinfo else time.replace(tzinfo=UTC)
