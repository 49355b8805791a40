"""Puts what a test run left behind into the data store.

Specification: "Lander -> Test Runner" (artifacts lie in the ticket's container).
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from ci_utils.data_store.port import DataStore, DataStores
from test_runner.domain.autopkgtest import OUTPUT
from test_runner.domain.workshop import Workshop

COMPONENT = "test-runner"


@dataclass
class Artifacts:
    """Stored files of one request, by kind; every name begins with the request's `trigger`."""

    store: DataStore
    trigger: str
    streams: list[str] = field(default_factory=list)
    logs: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)

    @classmethod
    def of_ticket(cls, data_stores: DataStores, ticket_id: str, trigger: str, *, private: bool) -> Artifacts:
        """The ticket's container, made if it is not there."""
        return cls(data_stores.open(f"ticket.{ticket_id}", COMPONENT, public=not private), trigger)

    def add_stream(self, source: str, stream: bytes) -> None:
        """Store a subunit stream."""
        self.streams.append(self.store.put_file(f"{self.trigger}-{source}.subunit", stream))

    def add_log(self, name: str, content: Path | bytes) -> None:
        """Store a log; one that is empty is left out."""
        if isinstance(content, bytes):
            if content:
                self.logs.append(self.store.put_file(f"{self.trigger}-{name}.log", content))
        elif content.exists() and content.stat().st_size:
            with content.open("rb") as file:
                self.logs.append(self.store.put_file(f"{self.trigger}-{name}.log", file))

    def add_output(self, source: str, workshop: Workshop) -> None:
        """Store autopkgtest's output directory, packed in the workshop where its links lead nowhere."""
        argv = ["tar", "--create", "--gzip", "--sort=name", "--owner=0", "--group=0", "--mode=a-st", OUTPUT]
        with tempfile.TemporaryFile() as packed:
            if workshop.output(argv, packed) == 0:
                packed.seek(0)
                self.others.append(self.store.put_file(f"{self.trigger}-{source}.tar.gz", packed))
