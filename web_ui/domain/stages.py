"""The way of a ticket as a bar: every stage with its state, how long it took, and what happens in it now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

#: Names of the lander's stages and of the ticket's steps, and what people read.
STAGES = {
    "build": ("200", "Build", "Packages are built in an archive of their own"),
    "image": ("300", "Image", "The packages become a bootable image"),
    "test": ("400", "Test", "The image is booted and tested"),
    "publish": ("500", "Publish", "All packages are published, or none"),
}
STATES = {
    "QUEUED": "waiting",
    "RUNNING": "running",
    "SUCCESS": "done",
    "FAILURE": "failed",
    "ABORTED": "cancelled",
    "SKIPPED": "skipped",
}
#: States in words, for those who see no colours.
WORDS = {
    "waiting": "not begun",
    "running": "in work",
    "done": "done",
    "failed": "failed",
    "cancelled": "cancelled",
    "skipped": "skipped",
}
NEW, QUEUED, FAILED, COMPLETE = "000", "100", "999", "1000"
CANCELLED = "998"


@dataclass(frozen=True)
class Stage:
    """One part of the bar; `seconds` so far or in all, None before it begins."""

    name: str
    label: str
    purpose: str
    state: str
    seconds: float | None = None
    message: str = ""

    @property
    def words(self) -> str:
        return WORDS[self.state]


def read_stages(ticket: Mapping[str, Any], job: Mapping[str, Any] | None) -> list[Stage]:
    """The bar of a ticket, from `fullticket` and, once the lander has it, from its `job`."""
    children = {child["stage"]: child for child in job["stages"]} if job else {}
    return [
        _queue_stage(ticket, children),
        *(_stage(name, ticket, children.get(name)) for name in STAGES),
    ]


def time_of(value: Any) -> datetime | None:
    """A time as the API writes it; None for none."""
    if not value:
        return None
    moment = datetime.fromisoformat(str(value))
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _queue_stage(ticket: Mapping[str, Any], children: Mapping[str, Any]) -> Stage:
    label, purpose = "Queue", "Tickets land one after another"
    queued = time_of(ticket["queued_at"])
    step = ticket["current_workflow_step"]
    if queued is None:
        state = "cancelled" if step == FAILED else "waiting"
        return Stage("queue", label, purpose, state)
    begun = time_of((children.get("build") or {}).get("started_at"))
    failed_here = step == FAILED and ticket["failed_workflow_step"] == QUEUED
    if failed_here:
        state = "cancelled" if ticket["status"] == CANCELLED else "failed"
    else:
        state = "running" if step == QUEUED else "done"
    end = begun or time_of(ticket["ended_at"]) or datetime.now(UTC)
    message = ticket["message"] if state == "running" else ""
    return Stage("queue", label, purpose, state, max(0.0, (end - queued).total_seconds()), message)


def _stage(name: str, ticket: Mapping[str, Any], child: Mapping[str, Any] | None) -> Stage:
    step, label, purpose = STAGES[name]
    state = STATES.get(child["state"], "waiting") if child else "waiting"
    if state == "waiting" and ticket["current_workflow_step"] in (FAILED, COMPLETE):
        state = "skipped" if ticket["current_workflow_step"] == FAILED else "done"
    seconds = None
    if child and (began := time_of(child["started_at"])):
        seconds = max(0.0, ((time_of(child["ended_at"]) or datetime.now(UTC)) - began).total_seconds())
    message = ticket["message"] if state == "running" and ticket["current_workflow_step"] == step else ""
    return Stage(name, label, purpose, state, seconds, message)
