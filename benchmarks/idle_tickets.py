"""Tickets for an engine whose steps do nothing, and how long tickets took."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks.engines import scratch
from tests.ci_utils.source_package.uploads import SigningKey, Upload, throw_away_key
from tests.end_to_end.engine import Engine

PROGRAM = (sys.executable, "-m", "benchmarks.stub_engine")
LANDING_SECONDS = 300
#: A question takes the engine 5 ms, so few are asked while it works.
POLL_SECONDS = 0.25


@dataclass
class IdleTickets:
    """Submits the same upload again and again."""

    engine: Engine
    changes: Path

    def submit(self) -> int:
        """Make a ticket, upload its files and queue it; its number."""
        return submit(self.engine, self.changes)

    def landed(self, ticket_id: int) -> dict[str, Any]:
        """The ticket, complete."""
        deadline = time.monotonic() + LANDING_SECONDS
        while True:
            ticket = self.engine.client.ticket(ticket_id)
            if ticket["current_workflow_step"] == "1000":
                return ticket
            assert not ticket["ended_at"], ticket
            assert time.monotonic() < deadline, ticket
            time.sleep(POLL_SECONDS)


def submit(engine: Engine, changes: Path, *, add: Sequence[str] = ()) -> int:
    """Make a ticket of one upload that adds binary packages to the image, and queue it; its number."""
    client = engine.client
    source = {"changes_name": changes.name, "changes": changes.read_text()}
    draft = {"owner": "alice@example.com", "title": "Greet the world", "add_packages": list(add)}
    bundle = client.create_bundle(draft | {"sources": [source]})
    for name, url in bundle["sources"][0]["uploads"].items():
        client.upload(url, changes.parent / name)
    client.queue(bundle["id"])
    return int(bundle["id"])


def seconds_in_the_engine(ticket: dict[str, Any]) -> float:
    """From queued to complete, by the ticket's own times."""
    return (_time(ticket["ended_at"]) - _time(ticket["queued_at"])).total_seconds()


def seconds_by_step(ticket: dict[str, Any]) -> dict[str, float]:
    """How long the ticket was in each step, by its history."""
    history = [(step["step_name"], _time(step["changed_at"])) for step in ticket["history"]]
    return {name: (after - at).total_seconds() for (name, at), (_, after) in pairwise(history)}


@contextmanager
def idle_engine() -> Iterator[IdleTickets]:
    """An engine whose steps do nothing, running."""
    with scratch() as directory, throw_away_key("Alice <alice@example.com>") as key:
        changes = Upload().write(directory / "upload", key)
        data_dir, settings = directory / "data", {"UCI_LOG_LEVEL": "warning"}
        data_dir.mkdir(mode=0o755)
        engine = Engine(data_dir, settings, directory / "engine.log", program=PROGRAM)
        engine.start()
        try:
            trust(engine, key, directory)
            yield IdleTickets(engine, changes)
        finally:
            engine.stop()


def trust(engine: Engine, key: SigningKey, directory: Path) -> None:
    """Let the engine take what `key` signs."""
    public = directory / "uploader.asc"
    public.write_bytes(key.public("--armor"))
    added = engine.command("uploader", "add", public)
    assert added.returncode == 0, added.stderr


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
