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
from typing import Any, TypeVar

from django.db import close_old_connections, connection, connections

from ci_utils.clients.cancel import CancelWatch
from ci_utils.disk_space import DISK_FULL, says_full
from ci_utils.errors import Cancelled, CIError, StageFailed, Unavailable
from ci_utils.work_queue import requests, turns
from ci_utils.work_queue.broker import Broker, Mailbox
from ci_utils.work_queue.models import WorkRequest
from ci_utils.work_queue.progress import ProgressPublisher
from ci_utils.work_queue.requests import DATABASE_AWAY
from ci_utils.work_queue.turns import Turns

log = logging.getLogger(__name__)

T = TypeVar("T")

#: How often a worker looks for rows that no message told it of.
SWEEP_SECONDS = 5.0
HEARTBEAT_SECONDS = 1.0
#: Until work that was taken over tells again where it is; then twice as long, up to the usual interval.
FIRST_REPEAT_SECONDS = 1.0
RETRY_SECONDS = 2.0
#: After the database was away, who has work in hand renews its lease before others look for expired ones.
RENEWAL_SECONDS = 3.0


@dataclass
class Task:
    """What a handler gets: the request's payload and the means to report and to stop."""

    key: str
    payload: Mapping[str, Any]
    attempt: int
    progress: ProgressPublisher
    must_stop: Callable[[], bool]

    def cancelled(self) -> bool:
        """True once the work should end: withdrawn, taken over by another worker, or shutting down."""
        return self.must_stop()


@dataclass(frozen=True)
class Work:
    """One queue and what is done with its requests.

    `handle(task)` returns the result; the fields of `StageFailed.result` and
    the message become the result of a failed one. `message_fields` are the
    payload's fields that every progress message repeats. `turns` says which
    requests may run beside each other; without it as many as there are workers.
    """

    queue: str
    handle: Callable[[Task], Mapping[str, Any]]
    message_fields: Sequence[str] = ()
    turns: Turns | None = None


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
    _told_of_broker: bool = field(default=False, init=False)

    def run(self) -> None:
        """Loop until `stop`; a broker or database that is away is waited for, and no error ends it."""
        while not self.stop.is_set():
            try:
                self._do(self._next)
            except DATABASE_AWAY as error:
                log.warning("%s: the database does not answer: %s", self.work.queue, error)
                self._wait_for_database()
            except Exception:
                log.exception("%s: its worker met an unexpected error and goes on", self.work.queue)
                self.stop.wait(RETRY_SECONDS)

    def run_one(self) -> bool:
        """Do one request if there is one; returns whether there was."""
        return self._do(self._claim)

    def _do(self, find: Callable[[], WorkRequest | None]) -> bool:
        """Do the request that `find` gives; returns whether there was one."""
        try:
            request = find()
            if request is not None:
                self._process(request)
        finally:
            close_old_connections()
        return request is not None

    def _next(self) -> WorkRequest | None:
        """The next request, waited for; None if there was none for a while.

        Only who waits listens: a wake-up always finds a worker that is free.
        """
        request = self._claim()
        if request is not None:
            return request
        try:
            with self.broker.wake_ups(self.work.queue) as mailbox:
                self._told_of_broker = False
                while request is None and not self.stop.is_set():
                    self._wait(mailbox)
                    request = self._claim()
        except Unavailable as error:
            if not self._told_of_broker:
                log.warning("%s: %s; looking for work by itself", self.work.queue, error)
            self._told_of_broker = True
            self.stop.wait(RETRY_SECONDS)
        return request

    def _wait(self, mailbox: Mailbox) -> None:
        until = time.monotonic() + SWEEP_SECONDS
        while not self.stop.is_set() and time.monotonic() < until:
            if mailbox.read(0.5) is not None:
                return

    def _claim(self) -> WorkRequest | None:
        close_old_connections()
        if self.stop.is_set():
            return None
        if self.work.turns:
            return turns.claim(self.work.queue, self.name, self.work.turns, lease=self.lease)
        return requests.claim(self.work.queue, self.name, lease=self.lease)

    def _wait_for_database(self) -> None:
        """Wait until it answers, and then until those who have work in hand have renewed their leases."""
        while not self.stop.wait(RETRY_SECONDS):
            close_old_connections()
            try:
                connection.ensure_connection()
            except DATABASE_AWAY:
                continue
            self.stop.wait(RENEWAL_SECONDS)
            return

    def _process(self, request: WorkRequest) -> None:
        base = {name: request.payload.get(name) for name in self.work.message_fields}
        progress = ProgressPublisher(self.broker, request.key, base)
        watch = CancelWatch(request.payload.get("cancel_url"), token=self.service_token)
        keeper = _Keeper(self, request, progress)

        def must_stop() -> bool:
            return self.stop.is_set() or keeper.lost or watch.cancelled()

        with keeper:
            outcome = self._outcome(Task(request.key, request.payload, request.attempt, progress, must_stop))
            if outcome is None:
                self._record(lambda: requests.give_back(request))
                return
            state, result = outcome[0], requests.storable(outcome[1])
            recorded = self._record(lambda: requests.finish(request, state, result))
        if recorded:
            progress.ended(state.value, result)
            if self.work.turns:  # somebody may have waited for this one
                requests.wake(self.work.queue, broker=self.broker)

    def _record(self, change: Callable[[], T]) -> T:
        """Record what came of a request; a database that is away is waited for, until the engine stops."""
        while True:
            try:
                return change()
            except DATABASE_AWAY as error:
                log.warning("%s: the database does not answer: %s", self.work.queue, error)
                if self.stop.is_set():
                    raise
            close_old_connections()
            self.stop.wait(RETRY_SECONDS)

    def _outcome(self, task: Task) -> tuple[WorkRequest.State, Mapping[str, Any]] | None:
        """State and result of a task; None if it must be done again after a restart."""
        try:
            # What an earlier attempt left behind only the handler can clear away.
            if task.attempt == 1 and task.cancelled():
                raise Cancelled("the request was withdrawn before its turn came")
            return WorkRequest.State.COMPLETED, self.work.handle(task)
        except StageFailed as error:
            return WorkRequest.State.FAILED, {**error.result, "message": error.message}
        except Cancelled as error:
            if self.stop.is_set():
                return None
            return WorkRequest.State.FAILED, {"message": error.message, "cancelled": True}
        except DATABASE_AWAY as error:
            log.warning("%s %s is done again: %s", self.work.queue, task.key, error)
            return None
        except CIError as error:
            log.exception("%s %s failed", self.work.queue, task.key)
            return WorkRequest.State.FAILED, {"message": error.message}
        except Exception as error:
            log.exception("%s %s ended with an unexpected error", self.work.queue, task.key)
            unexpected = f"the {self.work.queue} met an unexpected error; its log has the detail"
            message = DISK_FULL if says_full(error) else unexpected
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
        interval = self._worker.progress_interval
        # Who waits may have been away too, and not be listening yet.
        silence = interval if self._request.attempt == 1 else min(FIRST_REPEAT_SECONDS, interval)
        while not self._done.wait(HEARTBEAT_SECONDS):
            try:
                if time.monotonic() >= renew_at and self._renew():
                    renew_at = time.monotonic() + renew_every
                if self._progress.repeat_if_silent(silence):
                    silence = min(2 * silence, interval)
            except Exception:
                log.exception("%s: who keeps its lease met an unexpected error and goes on", self._request)
                self._done.wait(RETRY_SECONDS)

    def _renew(self) -> bool:
        """Renew the lease; False if the database could not be asked."""
        try:
            self.lost = not requests.renew(self._request, lease=self._worker.lease)
            return True
        except DATABASE_AWAY as error:
            log.warning("cannot renew the lease of %s: %s", self._request, error)
            return False
        finally:
            connections.close_all()  # this thread ends with the request, and nobody else closes its own


def run_periodic(periodic: Periodic, stop: threading.Event) -> None:
    """Run a periodic task until `stop` is set; an error is logged and the next turn comes."""
    while not stop.is_set():
        close_old_connections()
        try:
            periodic.run()
        except (CIError, *DATABASE_AWAY) as error:
            log.warning("%s: %s", periodic.name, error)
        except Exception:
            log.exception("%s met an unexpected error", periodic.name)
        finally:
            close_old_connections()
        stop.wait(periodic.seconds)
