"""The worker loop: claim a request, do it, record its end; and periodic tasks.

A service names its work in `worker.py` as `WORK` (a list of `Work`) and
`PERIODIC` (a list of `Periodic`); the host runs each in a thread.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.db import close_old_connections, connections
from django.db.utils import OperationalError

from ci_utils.clients.cancel import CancelWatch
from ci_utils.errors import Cancelled, CIError, StageFailed, Unavailable
from ci_utils.work_queue import requests
from ci_utils.work_queue.broker import Broker, Mailbox
from ci_utils.work_queue.models import WorkRequest
from ci_utils.work_queue.progress import ProgressPublisher

log = logging.getLogger(__name__)

#: How often a worker looks for rows that no message told it of.
SWEEP_SECONDS = 5.0
HEARTBEAT_SECONDS = 1.0
RETRY_SECONDS = 2.0


@dataclass
class Task:
    """What a handler gets: the request's payload and the means to report and to stop."""

    key: str
    payload: Mapping[str, Any]
    attempt: int
    progress: ProgressPublisher
    must_stop: Callable[[], bool]
    withdrawn: Callable[[], bool] = lambda: False
    """True once the caller does not want the result any more; then what it started elsewhere stops too."""

    def cancelled(self) -> bool:
        """True once the work should end: withdrawn, taken over by another worker, or shutting down."""
        return self.must_stop()


@dataclass(frozen=True)
class Work:
    """One queue and what is done with its requests.

    `handle(task)` returns the result; the fields of `StageFailed.result` and
    the message become the result of a failed one. `message_fields` are the
    payload's fields that every progress message repeats.
    """

    queue: str
    handle: Callable[[Task], Mapping[str, Any]]
    message_fields: Sequence[str] = ()


@dataclass(frozen=True)
class Periodic:
    """Something a service does again and again, `seconds` apart."""

    name: str
    seconds: float
    run: Callable[[], None]


def _worker_name() -> str:
    return f"{socket.gethostname()[:32]}-{os.getpid()}-{uuid.uuid4().hex[:6]}"


@dataclass
class Worker:
    """Works off one queue until `stop` is set; what it has in hand then goes back to the queue."""

    work: Work
    broker: Broker
    lease: timedelta
    progress_interval: float
    service_token: str
    stop: threading.Event
    name: str = field(default_factory=_worker_name)

    def run(self) -> None:
        """Loop until `stop`; a broker or database that is away is waited for."""
        while not self.stop.is_set():
            try:
                with self.broker.wake_ups(self.work.queue) as mailbox:
                    self._loop(mailbox)
            except (Unavailable, OperationalError) as error:
                log.warning("%s: %s; trying again", self.work.queue, error)
                self.stop.wait(RETRY_SECONDS)

    def _loop(self, mailbox: Mailbox) -> None:
        while not self.stop.is_set():
            if not self.run_one():
                self._wait(mailbox)

    def _wait(self, mailbox: Mailbox) -> None:
        until = time.monotonic() + SWEEP_SECONDS
        while not self.stop.is_set() and time.monotonic() < until:
            if mailbox.read(0.5) is not None:
                return

    def run_one(self) -> bool:
        """Do one request if there is one; returns whether there was."""
        close_old_connections()
        try:
            request = requests.claim(self.work.queue, self.name, lease=self.lease)
            if request is not None:
                self._process(request)
        finally:
            close_old_connections()
        return request is not None

    def _process(self, request: WorkRequest) -> None:
        base = {name: request.payload.get(name) for name in self.work.message_fields}
        progress = ProgressPublisher(self.broker, request.key, base)
        watch = CancelWatch(request.payload.get("cancel_url"), token=self.service_token)
        keeper = _Keeper(self, request, progress)

        def must_stop() -> bool:
            return self.stop.is_set() or keeper.lost or watch.cancelled()

        with keeper:
            outcome = self._outcome(
                Task(request.key, request.payload, request.attempt, progress, must_stop, watch.cancelled)
            )
        if outcome is None:
            requests.give_back(request)
            return
        state, result = outcome[0], requests.storable(outcome[1])
        if requests.finish(request, state, result):
            progress.ended(state.value, result)

    def _outcome(self, task: Task) -> tuple[WorkRequest.State, Mapping[str, Any]] | None:
        """State and result of a task; None if it must be done again after a restart."""
        try:
            return WorkRequest.State.COMPLETED, self.work.handle(task)
        except StageFailed as error:
            return WorkRequest.State.FAILED, {**error.result, "message": error.message}
        except Cancelled as error:
            if self.stop.is_set():
                return None
            return WorkRequest.State.FAILED, {"message": error.message, "cancelled": True}
        except CIError as error:
            log.exception("%s %s failed", self.work.queue, task.key)
            return WorkRequest.State.FAILED, {"message": error.message}
        except Exception:
            log.exception("%s %s ended with an unexpected error", self.work.queue, task.key)
            message = f"the {self.work.queue} met an unexpected error; its log has the detail"
            return WorkRequest.State.FAILED, {"message": message}


class _Keeper:
    """Renews the lease and keeps progress flowing while a request is worked on."""

    def __init__(self, worker: Worker, request: WorkRequest, progress: ProgressPublisher) -> None:
        self.lost = False
        self._worker = worker
        self._request = request
        self._progress = progress
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"keeper-{request.key}", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _run(self) -> None:
        renew_every = self._worker.lease.total_seconds() / 3
        renew_at = time.monotonic() + renew_every
        while not self._done.wait(HEARTBEAT_SECONDS):
            self._progress.repeat_if_silent(self._worker.progress_interval)
            if time.monotonic() >= renew_at:
                renew_at = time.monotonic() + renew_every
                self._renew()

    def _renew(self) -> None:
        try:
            self.lost = not requests.renew(self._request, lease=self._worker.lease)
        except OperationalError as error:
            log.warning("cannot renew the lease of %s: %s", self._request, error)
        finally:
            connections.close_all()  # this thread ends with the request, and nobody else closes its own


def run_periodic(periodic: Periodic, stop: threading.Event) -> None:
    """Run a periodic task until `stop` is set; an error is logged and the next turn comes."""
    while not stop.is_set():
        close_old_connections()
        try:
            periodic.run()
        except (CIError, OperationalError) as error:
            log.warning("%s: %s", periodic.name, error)
        except Exception:
            log.exception("%s met an unexpected error", periodic.name)
        finally:
            close_old_connections()
        stop.wait(periodic.seconds)
