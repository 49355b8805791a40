"""Lands the accepted tickets: one after another, or, by setting, those without a common source at once."""

from __future__ import annotations

import logging
import time
from typing import Any

from django.db import close_old_connections

from ci_utils.errors import Cancelled, StageFailed
from ci_utils.hosting import ports
from ci_utils.work_queue.requests import DATABASE_AWAY
from ci_utils.work_queue.turns import Turns
from ci_utils.work_queue.worker import Periodic, Task, Work
from lander.domain import jobs
from lander.domain.jobs import QUEUE
from lander.domain.land import land
from lander.domain.services import Services
from lander.models import MasterJob

log = logging.getLogger(__name__)

RETRY_SECONDS = 2.0


def handle(task: Task) -> dict[str, Any]:
    job = _landed(task)
    result = {"ticket": str(job.ticket_id), **(job.result or {})}
    if job.state == MasterJob.State.ABORTED:
        raise Cancelled(job.message)
    if job.state == MasterJob.State.FAILURE:
        raise StageFailed(job.message, result=result)
    return result


def _landed(task: Task) -> MasterJob:
    """The job, ended; a database that is away for a while is waited for, then the landing goes on."""
    while True:
        try:
            return land(
                progress_trigger=task.key,
                services=_services(),
                progress=task.progress,
                stopping=task.cancelled,
            )
        except DATABASE_AWAY as error:
            log.warning("%s: the database does not answer: %s", task.key, error)
            close_old_connections()
        if task.cancelled():
            raise Cancelled("the lander goes down")
        time.sleep(RETRY_SECONDS)


def _services() -> Services:
    settings = ports.config()
    return Services(
        ticket_system=ports.ticket_system(),
        ppa_assigner=ports.ppa_assigner(),
        branch_source_builder=ports.branch_source_builder(),
        image_builder=ports.image_builder(),
        test_runner=ports.test_runner(),
        archives=ports.archives(),
        data_stores=ports.data_stores(),
        broker=ports.broker(),
        url=settings.service_url("lander"),
        progress_interval=settings.progress_interval,
    )


WORK = [
    Work(
        queue=QUEUE,
        handle=handle,
        message_fields=("ticket",),
        turns=Turns(at_once=ports.config().concurrent_tickets, needs=jobs.sources),
    )
]
PERIODIC: list[Periodic] = []
