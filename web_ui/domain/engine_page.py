"""How the engine is: its services, what they do now, the archives, and how long stages took."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ci_utils.clients.base import ServiceClient
from ci_utils.errors import CIError
from web_ui.domain.stages import STAGES

NAMES = {
    "ticket_system": "Ticket system",
    "lander": "Lander",
    "ppa_assigner": "PPA assigner",
    "branch_source_builder": "Branch/source builder",
    "image_builder": "Image builder",
    "test_runner": "Test runner",
    "web_ui": "Web pages",
}
#: How long each service may take to say how it is: they are asked one after another.
PATIENCE_SECONDS = 3
#: Inner names of numbers that are shown one by one, and what comes before them.
GROUPS = {"requests": "", "archives": "archives ", "tickets": None}


@dataclass(frozen=True)
class Doing:
    """One thing that a worker does now; only operators are told."""

    what: str
    worker: str
    started_at: Any


@dataclass(frozen=True)
class Service:
    """A service: whether it answers, its numbers, and what its workers do."""

    name: str
    error: str = ""
    numbers: Mapping[str, Any] = field(default_factory=dict)
    doing: Sequence[Doing] = ()

    @property
    def state(self) -> str:
        if self.error:
            return "failed"
        return "running" if self.numbers.get("running") else "done"

    @property
    def word(self) -> str:
        return {"failed": "away", "running": "works"}.get(self.state, "ready")


@dataclass(frozen=True)
class StageRuns:
    """How long a stage took in recent landings, the oldest first: (ticket, seconds, whether it went well)."""

    stage: str
    label: str
    runs: Sequence[tuple[int, float, bool]]

    @property
    def usual(self) -> float:
        """The middle one of those that went well."""
        good = [seconds for _, seconds, well in self.runs if well]
        return statistics.median(good) if good else 0.0


def read_services(clients: Mapping[str, ServiceClient]) -> list[Service]:
    """Every service by its name; those at one address are asked once."""
    answers: dict[str, Mapping[str, Any] | CIError] = {}
    for client in clients.values():
        if client.base_url not in answers:
            answers[client.base_url] = _status(client)
    return [_service(name, answers[client.base_url]) for name, client in clients.items()]


def stage_runs(times: Iterable[Mapping[str, Any]]) -> list[StageRuns]:
    """Recent runs by stage, for those stages that take time."""
    runs: dict[str, list[tuple[int, float, bool]]] = {name: [] for name in STAGES}
    for time in times:
        if time["stage"] in runs:
            runs[time["stage"]].append((time["ticket_id"], time["seconds"], time["state"] == "SUCCESS"))
    return [StageRuns(name, STAGES[name][1], found[::-1]) for name, found in runs.items() if found]


def _status(client: ServiceClient) -> Mapping[str, Any] | CIError:
    try:
        services: Mapping[str, Any] = client.status(timeout=PATIENCE_SECONDS)["services"]
    except CIError as error:
        return error
    return services


def _service(name: str, answer: Mapping[str, Any] | CIError) -> Service:
    shown = NAMES.get(name, name)
    if isinstance(answer, CIError):
        return Service(shown, answer.message)
    if name not in answer:
        return Service(shown, "it is not served at its address")
    status = answer[name]
    return Service(shown, "", _numbers(status), [_doing(item) for item in status.get("running") or ()])


def _numbers(status: Mapping[str, Any]) -> dict[str, Any]:
    numbers: dict[str, Any] = {}
    for key, value in status.items():
        if isinstance(value, Mapping):
            before = GROUPS.get(key, f"{key} ")
            if before is not None:
                numbers |= {f"{before}{name}".replace("_", " "): number for name, number in value.items()}
        elif isinstance(value, int | float) and not isinstance(value, bool):
            numbers[key.replace("_", " ")] = value
    return numbers


def _doing(item: Mapping[str, Any]) -> Doing:
    return Doing(str(item.get("request", "")), str(item.get("worker", "")), item.get("started_at"))
