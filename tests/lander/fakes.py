"""The services around the lander, as objects with the methods of their clients."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ci_utils.clients.ppa_assigner import PPAAssignerClient
from ci_utils.clients.ticket_system import TicketSystemClient
from ci_utils.clients.work import BranchSourceBuilderClient, ImageBuilderClient, TestRunnerClient
from ci_utils.errors import Conflict, NoFreeArchive, Unavailable
from ci_utils.work_queue.broker import Broker

Message = dict[str, Any]


class Killed(BaseException):
    """The lander's process ends here."""


class TicketSystem(TicketSystemClient):
    """Remembers what it is told; does not answer the next `away` times."""

    def __init__(self) -> None:
        super().__init__("http://ticket-system.example")
        self.reports: list[Message] = []
        self.subticket_reports: list[tuple[int, str, str, str]] = []
        self.artifacts: list[tuple[str, str]] = []
        self.subticket_artifacts: list[tuple[int, str, str]] = []
        self.away = 0
        self.ended = False

    @property
    def way(self) -> list[tuple[str, str]]:
        """The states that were reported, without repetitions."""
        way: list[tuple[str, str]] = []
        for report in self.reports:
            state = (report["current_workflow_step"], report["status"])
            if not way or way[-1] != state:
                way.append(state)
        return way

    def set_status(self, ticket_id: int, **fields: Any) -> None:
        self._answer()
        if self.ended:
            raise Conflict("the ticket has ended")
        self.reports.append(fields)

    def set_subticket_status(self, subticket_id: int, **fields: Any) -> None:
        self._answer()
        self.subticket_reports.append(
            (subticket_id, fields["current_workflow_step"], fields["status"], fields["message"])
        )

    def add_artifacts(self, ticket_id: int, files: Sequence[Mapping[str, str]]) -> None:
        self._answer()
        told = [(file["name"], file["type"]) for file in files]
        self.artifacts += [file for file in told if file not in self.artifacts]

    def add_subticket_artifact(self, subticket_id: int, *, name: str, reference: str, type: str) -> None:
        self._answer()
        self.subticket_artifacts.append((subticket_id, name, type))

    def _answer(self) -> None:
        if self.away > 0:
            self.away -= 1
            raise Unavailable("the ticket system does not answer")


class Assigner(PPAAssignerClient):
    """One archive, which is in use for the first `busy` times somebody asks."""

    def __init__(self) -> None:
        super().__init__("http://ppa-assigner.example")
        self.ppa: Message = {"id": 4, "name": "ppa:local/ci_pool-001", "state": "free", "ticket_id": None}
        self.busy = 0
        self.away = 0
        self.asked: Callable[[], None] = lambda: None

    def list(self, **filters: Any) -> list[Message]:
        if self.away > 0:
            self.away -= 1
            raise Unavailable("the PPA assigner does not answer")
        return [dict(self.ppa)] if all(self.ppa[key] == value for key, value in filters.items()) else []

    def get_ppa(self, ticket_id: int) -> Message:
        self.asked()
        if self.busy > 0:
            self.busy -= 1
            raise NoFreeArchive("there is no free archive now")
        self.ppa.update(state="reserved", ticket_id=ticket_id)
        return dict(self.ppa)

    def release(self, ppa_id: int, ticket_id: int | None = None) -> None:
        assert (ppa_id, ticket_id) == (self.ppa["id"], self.ppa["ticket_id"])
        self.ppa.update(state="dirty", ticket_id=None)


class _Service:
    """Does each request once: tells `messages`, then ends with `end`."""

    def __init__(self, broker: Broker, end: Message) -> None:
        self.requests: list[Message] = []
        self.messages: list[Message] = [{"state": "STATUS", "message": "at work"}]
        self.end: Message | None = end
        self.then: Callable[[], None] = lambda: None
        self._broker = broker

    def start(self, parameters: Mapping[str, Any]) -> Message | None:
        trigger = parameters["progress_trigger"]
        ending = self.end and {**parameters, "exit": True, **self.end}
        if dict(parameters) in self.requests:
            return ending
        self.requests.append(dict(parameters))
        for message in self.messages:
            self._broker.publish_progress(trigger, message)
        self.then()
        if ending:
            self._broker.publish_progress(trigger, ending)
        return None


class Builder(_Service, BranchSourceBuilderClient):
    pass


class ImageMaker(_Service, ImageBuilderClient):
    pass


class Tester(_Service, TestRunnerClient):
    __test__ = False
