"""The worker threads of the hosted services."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial

from ci_utils.hosting import ports, services
from ci_utils.work_queue.worker import Work, Worker, run_periodic


def made(stop: threading.Event) -> list[threading.Thread]:
    """Threads, not started, for each queue and periodic task of the hosted services; all end after `stop`."""
    rooms = [room for _, room in services.workers()]
    return [
        *(
            _thread(_worker(w, stop).run, f"work-{w.queue}-{number}")
            for room in rooms
            for w in room.WORK
            for number in range(_at_once(w))
        ),
        *(
            _thread(partial(run_periodic, p, stop), f"periodic-{p.name}")
            for room in rooms
            for p in room.PERIODIC
        ),
    ]


def _thread(target: Callable[[], None], name: str) -> threading.Thread:
    return threading.Thread(target=target, name=name, daemon=True)


def _at_once(work: Work) -> int:
    settings = ports.config()
    wanted = settings.worker_threads or settings.concurrent_tickets
    return min(wanted, work.turns.at_once) if work.turns else wanted


def _worker(work: Work, stop: threading.Event) -> Worker:
    settings = ports.config()
    return Worker(
        work=work,
        broker=ports.broker(),
        lease=ports.lease(),
        progress_interval=settings.progress_interval,
        service_token=settings.service_token,
        stop=stop,
    )
