"""The verbs on work requests; the only code that changes their state.

A request is claimed by one conditional UPDATE, so two workers never both win,
on SQLite as on PostgreSQL, and a message that is lost or repeated changes
nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.db import transaction
from django.db.models import Count, Q
from django.db.utils import InterfaceError, InternalError, OperationalError
from django.utils import timezone

from ci_utils.errors import Conflict, Unavailable
from ci_utils.work_queue.broker import Broker
from ci_utils.work_queue.models import WorkRequest

log = logging.getLogger(__name__)

State = WorkRequest.State

#: What is raised while the database does not answer, or (`InternalError`) only lets itself be read because
#: another server takes its place; then nothing can be recorded, and later it can.
DATABASE_AWAY = (OperationalError, InterfaceError, InternalError)


def accept(queue: str, key: str, payload: Mapping[str, Any], *, broker: Broker) -> tuple[WorkRequest, bool]:
    """Record a request and wake a worker once the row is committed.

    Returns the request and whether it is new. The same key with the same
    payload gives the request that is there already; with another payload it is
    a `Conflict`.
    """
    with transaction.atomic():
        request, created = WorkRequest.objects.get_or_create(
            queue=queue, key=key, defaults={"payload": dict(payload)}
        )
        if not created and request.payload != dict(payload):
            raise Conflict(f"{key} already stands for another request; choose another progress_trigger")
        if created:
            transaction.on_commit(partial(wake, queue, broker=broker))
    return request, created


def wake(queue: str, *, broker: Broker) -> None:
    """Tell the workers that a row waits; one that cannot be told now finds it when it looks by itself."""
    try:
        broker.wake(queue)
    except Unavailable as error:
        log.warning("the workers of %s are not woken: %s", queue, error)


def claim(queue: str, worker: str, *, lease: timedelta) -> WorkRequest | None:
    """Take the oldest request that waits, or whose worker fell silent; None if there is none."""
    while True:
        now = timezone.now()
        request = _oldest_claimable(queue, now)
        if request is None:
            return None
        if take(request, worker, now=now, lease=lease):
            return request


def take(request: WorkRequest, worker: str, *, now: datetime, lease: timedelta) -> bool:
    """Give a request to a worker; False if another one has got it first."""
    won = WorkRequest.objects.filter(claimable(now), pk=request.pk, attempt=request.attempt).update(
        state=State.RUNNING,
        worker=worker,
        attempt=request.attempt + 1,
        started_at=request.started_at or now,
        leased_until_at=now + lease,
    )
    if won:
        request.refresh_from_db()
    return bool(won)


def renew(request: WorkRequest, *, lease: timedelta) -> bool:
    """Keep the lease; False if another worker has taken the request over."""
    return bool(_held(request).update(leased_until_at=timezone.now() + lease))


def finish(request: WorkRequest, state: WorkRequest.State, result: Mapping[str, Any]) -> bool:
    """Record the end; False (and nothing changed) if another worker has taken over."""
    return bool(
        _held(request).update(state=state, result=dict(result), ended_at=timezone.now(), leased_until_at=None)
    )


def storable(data: Any) -> Any:
    """JSON data without the characters that a database refuses: results quote what hostile programs print."""
    if isinstance(data, str):
        return data.replace("\0", "\ufffd").encode(errors="replace").decode()
    if isinstance(data, Mapping):
        return {storable(key): storable(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [storable(value) for value in data]
    return data


def give_back(request: WorkRequest) -> None:
    """Put a request that could not be finished back at its place in the queue."""
    _held(request).update(state=State.QUEUED, leased_until_at=None)


def void_leases() -> int:
    """Free every request that a dead process held.

    For a start where the caller knows that no other process works on this
    database (the single-machine engine holds a lock on its data directory).
    """
    return WorkRequest.objects.filter(state=State.RUNNING).update(state=State.QUEUED, leased_until_at=None)


def queue_status(queue: str) -> dict[str, Any]:
    """Numbers of requests per state and what is running, for `status`."""
    rows = WorkRequest.objects.filter(queue=queue)
    counts = dict(rows.values_list("state").annotate(Count("id")))
    running = rows.filter(state=State.RUNNING).order_by("id")
    return {
        "queue": queue,
        "requests": {state.value.lower(): counts.get(state.value, 0) for state in State},
        "running": [
            {"request": r.key, "worker": r.worker, "attempt": r.attempt, "started_at": r.started_at}
            for r in running
        ],
    }


def _oldest_claimable(queue: str, now: datetime) -> WorkRequest | None:
    """Asked state by state, for the first of each lies at the front of the index however many wait."""
    silent = WorkRequest.objects.filter(queue=queue, state=State.RUNNING, leased_until_at__lt=now)
    waiting = WorkRequest.objects.filter(queue=queue, state=State.QUEUED)
    first = [request for rows in (silent, waiting) if (request := rows.order_by("id").first())]
    return min(first, key=lambda request: request.pk, default=None)


def claimable(now: datetime) -> Q:
    """Requests that wait, or whose worker fell silent."""
    return Q(state=State.QUEUED) | Q(state=State.RUNNING, leased_until_at__lt=now)


def _held(request: WorkRequest) -> Any:
    return WorkRequest.objects.filter(pk=request.pk, state=State.RUNNING, attempt=request.attempt)
