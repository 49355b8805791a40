"""The states of master and child jobs; the only code that changes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from django.db import transaction
from django.utils import timezone

from ci_utils.errors import Conflict, NotFound
from ci_utils.work_queue import requests
from ci_utils.work_queue.broker import Broker
from ci_utils.work_queue.models import WorkRequest
from lander.models import ChildJob, MasterJob

QUEUE = "lander"


def accept(parameters: Mapping[str, Any], *, broker: Broker) -> WorkRequest:
    """Queue the landing of a ticket; the same request again is the same job."""
    with transaction.atomic():
        request, _ = requests.accept(QUEUE, parameters["progress_trigger"], parameters, broker=broker)
        MasterJob.objects.get_or_create(
            progress_trigger=request.key,
            defaults={
                "ticket_id": int(parameters["ticket"]),
                "parameters": dict(parameters),
                "private": bool(parameters.get("private")),
            },
        )
    return request


def sources(parameters: Mapping[str, Any]) -> set[str]:
    """The sources that a request brings: tickets that share one land in the order in which they came."""
    named = {str(subticket["source"]) for subticket in parameters.get("subtickets", [])}
    files = {unquote(urlsplit(url).path.rpartition("/")[2]) for url in parameters["source_packages"]}
    return named | {file.partition("_")[0] for file in files if file.endswith((".changes", ".dsc"))}


def begin(progress_trigger: str) -> MasterJob:
    """The job of a request, running now unless it has ended."""
    MasterJob.objects.filter(progress_trigger=progress_trigger, state=MasterJob.State.QUEUED).update(
        state=MasterJob.State.RUNNING, started_at=timezone.now()
    )
    return MasterJob.objects.get(progress_trigger=progress_trigger)


def cancel(progress_trigger: str) -> MasterJob:
    """Ask that the job of a request stops; asking again does nothing.

    `NotFound` if there is none, `Conflict` if it has ended, is publishing or has failed.
    """
    with transaction.atomic():
        # The lock that `start_child` and `fail_child` take too: either publishing and failing see the end,
        # or this sees them.
        job = MasterJob.objects.select_for_update().filter(progress_trigger=progress_trigger).first()
        if job is None:
            raise NotFound(f"the lander has no request {progress_trigger}")
        if job.cancelled_at:
            return job
        if job.ended:
            raise Conflict(f"{job} has ended already; there is nothing to cancel")
        begun = (ChildJob.State.RUNNING, ChildJob.State.SUCCESS)
        if job.stages.filter(stage="publish", state__in=begun).exists():
            raise Conflict(f"{job} publishes its packages already; it is too late to cancel it")
        if job.stages.filter(state=ChildJob.State.FAILURE).exists():
            raise Conflict(f"{job} has failed already; there is nothing to cancel")
        job.cancelled_at = timezone.now()
        job.save(update_fields=["cancelled_at"])
    return job


def is_cancelled(job: MasterJob) -> bool:
    """Whether somebody asked meanwhile that the job stops."""
    return MasterJob.objects.filter(pk=job.pk, cancelled_at__isnull=False).exists()


def end(job: MasterJob, state: MasterJob.State, message: str, result: Mapping[str, Any]) -> None:
    """Record how a job ended."""
    job.state, job.message, job.result = state, message, dict(result)
    job.ended_at = timezone.now()
    job.save(update_fields=["state", "message", "result", "ended_at"])


def child_of(job: MasterJob, stage: str) -> ChildJob:
    """The job's child for a stage."""
    return ChildJob.objects.get_or_create(master=job, stage=stage)[0]


def start_child(child: ChildJob, parameters: Mapping[str, Any]) -> None:
    """Record that a stage runs, with what it is asked; who cancels comes before this, or finds it running."""
    child.state, child.parameters = ChildJob.State.RUNNING, dict(parameters)
    child.started_at = child.started_at or timezone.now()
    with transaction.atomic():
        MasterJob.objects.select_for_update().get(pk=child.master_id)
        child.save(update_fields=["state", "parameters", "started_at"])


def end_child(child: ChildJob, state: ChildJob.State, message: str, result: Mapping[str, Any]) -> None:
    """Record how a stage ended, or that it was skipped."""
    child.state, child.message, child.result = state, message, dict(result)
    child.ended_at = timezone.now()
    child.save(update_fields=["state", "message", "result", "ended_at"])


def fail_child(child: ChildJob, message: str, result: Mapping[str, Any]) -> bool:
    """Record that a stage failed; False, and nothing is recorded, if the job was cancelled before."""
    with transaction.atomic():
        if MasterJob.objects.select_for_update().get(pk=child.master_id).cancelled_at:
            return False
        end_child(child, ChildJob.State.FAILURE, message, result)
    return True
