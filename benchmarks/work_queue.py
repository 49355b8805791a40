"""A claim among many requests that wait, and many duplicates of one request."""

from __future__ import annotations

from datetime import timedelta

from benchmarks.engines import django_in, scratch
from benchmarks.figures import Figure, median, milliseconds, spent, tenth_worst

WAITING = 50_000
DUPLICATES = 25_000
CLAIMS = 200


def run() -> list[Figure]:
    with scratch() as directory, django_in(directory):
        return [*_claims(), *_duplicates()]


def _claims() -> list[Figure]:
    from ci_utils.work_queue import requests
    from ci_utils.work_queue.models import WorkRequest

    rows = (
        WorkRequest(queue="lander", key=f"ticket-{n}", payload={"ticket": str(n)}) for n in range(WAITING)
    )
    WorkRequest.objects.bulk_create(rows, batch_size=1000)
    taken = milliseconds(lambda: requests.claim("lander", "benchmark", lease=timedelta(minutes=1)), CLAIMS)
    note = f"median of {CLAIMS}; nine of ten below {tenth_worst(taken):.1f} ms"
    return [Figure(f"a claim among {WAITING:,} queued requests", median(taken), "ms", "< 10 ms", note)]


def _duplicates() -> list[Figure]:
    from ci_utils.work_queue import requests
    from ci_utils.work_queue.broker import Broker
    from ci_utils.work_queue.models import WorkRequest

    broker = Broker("memory://")

    def accept_all() -> None:
        for _ in range(DUPLICATES):
            requests.accept("image_builder", "lander-1-image", {"ticket_id": 1}, broker=broker)

    took = spent(accept_all)
    held = WorkRequest.objects.filter(queue="image_builder").count()
    return [
        Figure(f"rows after {DUPLICATES:,} duplicates of one request", held, "", "1"),
        Figure(
            "duplicates accepted", DUPLICATES / took.wall, "/s", "", f"{took.cpu:.1f} s of processor in all"
        ),
    ]
