"""The overview: a page of tickets, how many are at each step, and the queue."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from ci_utils.clients.ticket_system import TicketSystemClient
from web_ui.domain.stages import COMPLETE, FAILED, NEW

PAGE = 25
SHOWN_OF_QUEUE = 6
MAX_TEXT = 200
MAX_DIGITS = 8
FILTERS = ("step", "owner", "source", "text")
STEPS = {
    "": "All",
    NEW: "New",
    "100": "Queued",
    "200": "Building",
    "300": "Imaging",
    "400": "Testing",
    "500": "Publishing",
    FAILED: "Failed",
    COMPLETE: "Complete",
}


@dataclass(frozen=True)
class Query:
    """What somebody wants to see; empty texts are no filters."""

    step: str = ""
    owner: str = ""
    source: str = ""
    text: str = ""
    page: int = 1

    @property
    def narrowed(self) -> bool:
        """Whether anything but all tickets is asked for."""
        return any(getattr(self, name) for name in FILTERS)

    def address(self, **changes: str | int) -> str:
        """The query string of this with some changes, back at the first page unless that is one of them."""
        values = {name: getattr(self, name) for name in FILTERS} | {"page": 1} | changes
        kept = {name: value for name, value in values.items() if value and (name, value) != ("page", 1)}
        return f"?{urlencode(kept)}" if kept else "?"


@dataclass(frozen=True)
class Step:
    """A step with the number of tickets there, and the address that shows only those."""

    value: str
    name: str
    tickets: int
    address: str
    chosen: bool


@dataclass(frozen=True)
class QueueHead:
    """The first tickets of those that land or wait, and how many come after them."""

    places: Sequence[Mapping[str, Any]] = ()
    more: int = 0


@dataclass(frozen=True)
class Listing:
    """Tickets as the ticket system tells of them, and the way to the other pages."""

    query: Query
    tickets: Sequence[Mapping[str, Any]]
    total: int
    steps: Sequence[Step]
    queue: QueueHead

    @property
    def moving(self) -> bool:
        """Whether it makes sense to look again soon."""
        return bool(self.queue.places)

    @property
    def pages(self) -> int:
        """How many pages there are, at least one."""
        return max(1, -(-self.total // PAGE))

    @property
    def newer(self) -> str:
        return self.query.address(page=self.query.page - 1) if self.query.page > 1 else ""

    @property
    def older(self) -> str:
        return self.query.address(page=self.query.page + 1) if self.query.page < self.pages else ""


def read_query(values: Mapping[str, str]) -> Query:
    """A query from an address that anybody may have written."""
    texts = {name: values.get(name, "").replace("\0", "").strip()[:MAX_TEXT] for name in FILTERS}
    if texts["step"] not in STEPS:
        texts["step"] = ""
    page = values.get("page", "1")
    numbered = page.isascii() and page.isdigit() and len(page) < MAX_DIGITS
    return Query(**texts, page=max(1, int(page)) if numbered else 1)


def read_listing(client: TicketSystemClient, query: Query) -> Listing:
    """One page of tickets, newest first; three requests, however many tickets there are."""
    found = client.get("ticketstatus/", **_parameters(query))
    counts: Counter[str] = Counter()
    for count in client.get("ticketcounts/")["objects"]:
        counts[count["current_workflow_step"]] += count["tickets"]
    return Listing(
        query,
        found["objects"],
        found["meta"]["total_count"],
        _steps(query, counts),
        read_queue(client, SHOWN_OF_QUEUE),
    )


def read_queue(client: TicketSystemClient, places: int) -> QueueHead:
    """The first places of the queue."""
    answer = client.get("queue/", limit=places)
    return QueueHead(answer["objects"], answer["meta"]["total_count"] - len(answer["objects"]))


def _steps(query: Query, counts: Counter[str]) -> list[Step]:
    return [
        Step(
            value,
            name,
            counts[value] if value else counts.total(),
            query.address(step=value),
            query.step == value,
        )
        for value, name in STEPS.items()
    ]


def _parameters(query: Query) -> dict[str, Any]:
    asked = {
        "current_workflow_step": query.step,
        "owner__icontains": query.owner,
        "source": query.source,
        "text": query.text,
    }
    page = {"limit": PAGE, "offset": (query.page - 1) * PAGE, "order_by": "-id"}
    return page | {name: value for name, value in asked.items() if value}
