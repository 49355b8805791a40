"""What a stage works with while it runs: it tells, waits, and hears that it should stop."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from ci_utils.errors import Cancelled, CIError
from ci_utils.work_queue.progress import ProgressPublisher
from ci_utils.work_queue.requests import storable
from lander.domain import jobs
from lander.domain.console import Console
from lander.domain.reporting import TicketReporter
from lander.domain.services import Services
from lander.models import MasterJob

log = logging.getLogger(__name__)

T = TypeVar("T")

TICK_SECONDS = 0.5
RETRY_SECONDS = 2.0
CANCELLED = "the ticket was cancelled"


@dataclass
class StageRun:
    """One stage's run. `step` is the ticket's workflow step, `status` its state in it.

    `stopping()` is true when the lander itself goes down; the stage is done
    again after that. A stage that is not `cancellable` runs whether or not
    the ticket was cancelled.
    """

    job: MasterJob
    services: Services
    console: Console
    reporter: TicketReporter
    progress: ProgressPublisher
    stopping: Callable[[], bool]
    step: str
    status: str
    cancellable: bool

    def tell(self, message: str, *, current: int | None = None, total: int | None = None) -> None:
        """Print progress on the console and pass it on, `current` of `total` steps where known."""
        message = storable(message)
        line = f"{message} ({current} of {total})" if current and total else message
        self.console.write(line)
        self.progress.status(message, current=current, total=total)
        if self.step:
            self.reporter.progress(self.step, self.status, line)

    def cancelled(self) -> bool:
        """Whether the ticket was cancelled. Raises `Cancelled` when the lander goes down."""
        self.reporter.flush()
        if self.stopping():
            raise Cancelled("the lander goes down")
        return self.cancellable and jobs.is_cancelled(self.job)

    def require_wanted(self) -> None:
        """Raise `Cancelled` if the ticket was cancelled or the lander goes down."""
        if self.cancelled():
            raise Cancelled(CANCELLED)

    def pause(self, seconds: float) -> None:
        """Wait; raises as `require_wanted` does."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self.require_wanted()
            time.sleep(min(TICK_SECONDS, left))

    def retry(
        self,
        call: Callable[[], T],
        *,
        waiting: str,
        seconds: float = float("inf"),
        gives_up: Callable[[CIError], bool] = lambda error: not error.retryable,
    ) -> T:
        """What `call` returns; while it raises what trying again can help, wait.

        At most for `seconds` from when it first failed, however long it took
        to. The message `waiting` is told once.
        """
        failed_at = None
        while True:
            try:
                return call()
            except CIError as error:
                if gives_up(error) or (failed_at is not None and time.monotonic() > failed_at + seconds):
                    raise
                if failed_at is None:
                    failed_at = time.monotonic()
                    log.info("%s: %s: %s", self.job, waiting, error)
                    self.tell(waiting)
            self.pause(RETRY_SECONDS)
