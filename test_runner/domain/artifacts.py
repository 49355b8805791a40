"""Puts what a test run left behind into the data store.

Specification: "Lander -> Test Runner" (artifacts lie in the ticket's container).
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from ci_utils.data_store.port import DataStore, DataStores
from ci_utils.errors import StageFailed, TimedOut
from test_runner.domain.autopkgtest import OUTPUT
from test_runner.domain.workshop import Workshop

COMPONENT = "test-runner"


@dataclass
class Artifacts:
    """Stored files of one request, by kind; every name begins with the request's `trigger`.

    `log_of` has the log of each source whose tests ran, in their order.
    """

    store: DataStore
    trigger: str
    streams: list[str] = field(default_factory=list)
    logs: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    log_of: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of_ticket(cls, data_stores: DataStores, ticket_id: str, trigger: str, *, private: bool) -> Artifacts:
        """The ticket's container, made if it is not there."""
        return cls(data_stores.open(f"ticket.{ticket_id}", COMPONENT, public=not private), trigger)

    def add_stream(self, source: str, stream: bytes) -> None:
        """Store a subunit stream."""
        self.streams.append(self.store.put_file(f"{self.trigger}-{source}.subunit", stream))

    def add_log(self, name: str, content: Path | bytes, *, source: str = "") -> None:
        """Store a log, of the tests of `source` if it is that; one that is empty is left out."""
        if isinstance(content, bytes):
            if content:
                self._keep_log(name, content, source)
        elif content.exists() and content.stat().st_size:
            with content.open("rb") as file:
                self._keep_log(name, file, source)

    def _keep_log(self, name: str, content: bytes | BinaryIO, source: str) -> None:
        url = self.store.put_file(f"{self.trigger}-{name}.log", content)
        self.logs.append(url)
        if source:
            self.log_of[source] = url

    def add_output(self, source: str, workshop: Workshop) -> None:
        """Store autopkgtest's output directory, packed in the workshop where its links lead nowhere.

        One that is too large to be packed is not kept; a log says why.
        """
        argv = ["tar", "--create", "--gzip", "--sort=name", "--owner=0", "--group=0", "--mode=a-st", OUTPUT]
        with tempfile.TemporaryFile() as packed:
            try:
                status = workshop.output(argv, packed)
            except (StageFailed, TimedOut) as error:
                reason = f"what the tests of {source} left behind is not kept: {error.message}\n"
                self.add_log(f"{source}-output", reason.encode())
                return
            if status == 0:
                packed.seek(0)
                self.others.append(self.store.put_file(f"{self.trigger}-{source}.tar.gz", packed))
