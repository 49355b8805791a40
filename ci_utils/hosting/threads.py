"""The worker threads of the hosted services."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial

from ci_utils.hosting import ports, services
from ci_utils.work_queue.worker import Work, Worker, run_periodic


def start(stop: threading.Event) -> list[threading.Thread]:
    """Start a thread per queue and per periodic task of the hosted services; they end after `stop`."""
    return [_started(target, name) for target, name in _targets(stop)]


def _targets(stop: threading.Event) -> list[tuple[Callable[[], None], str]]:
    targets: list[tuple[Callable[[], None], str]] = []
    for _, room in services.workers():
        targets += [(worker_of(work, stop).run, f"work-{work.queue}") for work in room.WORK]
        targets += [
            (partial(run_periodic, periodic, stop), f"periodic-{periodic.name}") for periodic in room.PERIODIC
        ]
    return targets


def worker_of(work: Work, stop: threading.Event) -> Worker:
    """A worker with this process's settings."""
    settings = ports.config()
    return Worker(
        work=work,
        broker=ports.broker(),
        lease=ports.lease(),
        progress_interval=settings.progress_interval,
        service_token=settings.service_token,
        stop=stop,
    )


def _started(target: Callable[[], None], name: str) -> threading.Thread:
    thread = threading.Thread(target=target, name=name, daemon=True)
    thread.start()
    return thread
