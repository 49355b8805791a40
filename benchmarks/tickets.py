"""Ticket creations and reads a second, from eight clients, on SQLite."""

from __future__ import annotations

import http.client
import json
import multiprocessing
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.engines import scratch
from benchmarks.figures import Figure, cpu_of_process, median
from tests.ci_utils.source_package.uploads import SigningKey, Upload, throw_away_key
from tests.end_to_end.engine import Engine, running_engine

CLIENTS = 8
ROUNDS = 3
CREATIONS = 320
READS = 640

Request = Callable[[http.client.HTTPConnection], None]


def run() -> list[Figure]:
    with scratch() as directory, throw_away_key("Alice <alice@example.com>") as key:
        drafts = [_draft(key, number) for number in range(ROUNDS * CREATIONS)]
        with running_engine(directory, UCI_LOG_LEVEL="warning") as engine:
            _trust(engine, key, directory)
            token = (engine.data_dir / "local-token").read_text().strip()
            creations = [_creation(draft, token) for draft in drafts]
            figures = _figures("bundled ticket creations", "200/s", engine, _rounds(creations, CREATIONS))
            for path, words in (("fullticket/1/", "everything"), ("ticket/1/", "ticket/")):
                reads = [_read(path, token)] * (ROUNDS * READS)
                figures += _figures(f"reads of one ticket ({words})", "300/s", engine, _rounds(reads, READS))
            return figures


def _figures(what: str, target: str, engine: Engine, rounds: Sequence[Sequence[Request]]) -> list[Figure]:
    assert engine.process
    rates, costs = [], []
    for requests in rounds:
        cpu, began = cpu_of_process(engine.process.pid), time.perf_counter()
        _send(engine.url, requests)
        rates.append(len(requests) / (time.perf_counter() - began))
        costs.append((cpu_of_process(engine.process.pid) - cpu) / len(requests) * 1000)
    note = f"{CLIENTS} clients, {ROUNDS} rounds of {len(rounds[0])}; {median(costs):.1f} ms of processor each"
    return [Figure(what, median(rates), "/s", f">= {target}", note)]


def _rounds(requests: Sequence[Request], size: int) -> list[Sequence[Request]]:
    return [requests[start : start + size] for start in range(0, len(requests), size)]


def _send(url: str, requests: Sequence[Request]) -> None:
    """Send them from eight client processes with a connection each; all answers must be successes."""
    fork = multiprocessing.get_context("fork")
    clients = [fork.Process(target=_send_all, args=(url, requests[n::CLIENTS])) for n in range(CLIENTS)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    assert [client.exitcode for client in clients] == [0] * CLIENTS


def _send_all(url: str, requests: Sequence[Request]) -> None:
    """Send requests over one connection."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    for request in requests:
        request(connection)
    connection.close()


def _creation(draft: bytes, token: str) -> Request:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def create(connection: http.client.HTTPConnection) -> None:
        connection.request("POST", "/api/v1/bundle/", draft, headers)
        _expect(connection, 201)

    return create


def _read(path: str, token: str) -> Request:
    def read(connection: http.client.HTTPConnection) -> None:
        connection.request("GET", f"/api/v1/{path}", headers={"Authorization": f"Bearer {token}"})
        _expect(connection, 200)

    return read


def _expect(connection: http.client.HTTPConnection, status: int) -> None:
    answer = connection.getresponse()
    body = answer.read()
    assert answer.status == status, body


def _draft(key: SigningKey, number: int) -> bytes:
    """A bundle of one source, signed; no two are the same, so that nothing can be remembered."""
    upload = Upload(version=f"2.10-{number + 1}")
    source = {
        "changes_name": upload.changes_name,
        "changes": key.clearsign(upload.changes()).decode(),
        "dsc": upload.contents()[upload.dsc_name].decode(),
    }
    draft = {"owner": "alice@example.com", "title": "Greet the world", "sources": [source]}
    return json.dumps(draft).encode()


def _trust(engine: Engine, key: SigningKey, directory: Path) -> None:
    public = directory / "alice.asc"
    public.write_bytes(key.public("--armor"))
    added = engine.command("uploader", "add", public)
    assert added.returncode == 0, added.stderr
