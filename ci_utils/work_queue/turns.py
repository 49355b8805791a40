"""Which requests of one queue may run beside each other, and which must wait for an earlier one.

Those with something in common run one after another in the order in which they
came; the others overtake them. A request that waits keeps what it has in
common with later ones from being taken before it, so none waits for ever.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from zlib import crc32

from django.db import connection, transaction
from django.utils import timezone

from ci_utils.work_queue import requests
from ci_utils.work_queue.models import WorkRequest

State = WorkRequest.State

#: How many requests that must wait are looked past to find one that need not.
LOOK_AHEAD = 1000
CHUNK = 20


def _nothing(_: Mapping[str, Any]) -> Collection[str]:
    return ()


@dataclass(frozen=True)
class Turns:
    """At most `at_once` requests run, in all processes together; `needs` says what one has for itself."""

    at_once: int = 1
    needs: Callable[[Mapping[str, Any]], Collection[str]] = _nothing


def claim(queue: str, worker: str, turns: Turns, *, lease: timedelta) -> WorkRequest | None:
    """Take the first request whose turn it is; None if there is none."""
    if not WorkRequest.objects.filter(requests.claimable(timezone.now()), queue=queue).exists():
        return None
    with transaction.atomic():
        _one_at_a_time(queue)
        now = timezone.now()
        rows = WorkRequest.objects.filter(queue=queue)
        running = rows.filter(state=State.RUNNING, leased_until_at__gte=now).values_list("payload", flat=True)
        taken = [turns.needs(payload) for payload in running]
        if len(taken) >= turns.at_once:
            return None
        busy = set().union(*taken)
        waiting = rows.filter(requests.claimable(now)).order_by("id")[:LOOK_AHEAD]
        for request in waiting.iterator(CHUNK):
            needs = turns.needs(request.payload)
            if busy.isdisjoint(needs) and requests.take(request, worker, now=now, lease=lease):
                return request
            busy.update(needs)
    return None


def _one_at_a_time(queue: str) -> None:
    """Who claims waits for the others who do, to the end of the transaction; SQLite's always does."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [crc32(f"turns of {queue}".encode())])
