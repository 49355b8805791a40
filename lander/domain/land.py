"""Lands a ticket: runs the stages one after another and ends the master job.

What has happened is read from the child jobs, so a lander that was killed goes
on where it was. Specification: chapter "Lander", "Design".
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

from django.db import close_old_connections

from ci_utils.disk_space import DISK_FULL, says_full
from ci_utils.errors import Cancelled, CIError, StageFailed
from ci_utils.work_queue.progress import ProgressPublisher
from ci_utils.work_queue.requests import DATABASE_AWAY
from lander.domain import jobs
from lander.domain.artifacts import (
    BUILT,
    archive_consoles,
    failure_log,
    link_artifacts,
    sources_with_verdict,
)
from lander.domain.console import Console
from lander.domain.reporting import TicketReporter
from lander.domain.run import CANCELLED, RETRY_SECONDS, TICK_SECONDS, StageRun
from lander.domain.services import Services
from lander.domain.stages import STAGES, Stage
from lander.models import ChildJob, MasterJob

log = logging.getLogger(__name__)

State = ChildJob.State

#: What reading a result raises that lacks something; a ticket ends all the same.
MALFORMED = (LookupError, TypeError, AttributeError)
UNEXPECTED = "the lander met an unexpected error; its log has the detail"


def land(
    *, progress_trigger: str, services: Services, progress: ProgressPublisher, stopping: Callable[[], bool]
) -> MasterJob:
    """Land the ticket of a request and return its job, ended.

    Raises `Cancelled` once `stopping()` is true; doing it again then goes on.
    """
    job = jobs.begin(progress_trigger)
    if not job.ended:
        _Landing(job, services, progress, stopping).run()
    return job


class _Landing:
    def __init__(
        self, job: MasterJob, services: Services, progress: ProgressPublisher, stopping: Callable[[], bool]
    ) -> None:
        self._job = job
        self._services = services
        self._progress = progress
        self._stopping = stopping
        self._reporter = TicketReporter(services.ticket_system, job.ticket_id, pause=self._pause)
        self._subtickets = job.parameters.get("subtickets", [])

    def run(self) -> None:
        parameters = self._parameters()
        failed: tuple[Stage, ChildJob] | None = None
        for stage in STAGES:
            child = jobs.child_of(self._job, stage.name)
            if failed and not stage.always:
                jobs.end_child(child, State.SKIPPED, "", {})
            elif not child.ended:
                self._run_stage(stage, child, parameters)
            if child.state == State.SUCCESS:
                parameters |= {name: child.result.get(name) for name in stage.carries}
            elif failed is None and not stage.always:
                failed = stage, child
        self._end(failed)

    def _parameters(self) -> dict[str, Any]:
        return {
            **self._job.parameters,
            "job_id": self._job.pk,
            "ticket_id": self._job.ticket_id,
            "cancel_url": f"{self._services.url}/api/v1/job/{self._job.pk}/",
        }

    def _run_stage(self, stage: Stage, child: ChildJob, parameters: Mapping[str, Any]) -> None:
        run = self._stage_run(stage, child)
        state, message, result = self._outcome(stage, child, run, parameters)

        def record() -> None:
            run.console.write(_sentence(state, message))
            self._leave_behind(stage, message, result)
            if state != State.FAILURE or stage.always:
                jobs.end_child(child, state, message, result)
            elif not jobs.fail_child(child, message, result):  # whoever cancelled was told that it stops
                run.console.write(_sentence(State.ABORTED, CANCELLED))
                jobs.end_child(child, State.ABORTED, CANCELLED, {})

        self._recorded(record)

    def _recorded(self, record: Callable[[], None]) -> None:
        """Record how a stage ended; a database that is away is waited for, so that no stage is done again."""
        while True:
            try:
                return record()
            except DATABASE_AWAY as error:
                log.warning("%s: the database does not answer: %s", self._job, error)
                close_old_connections()
            self._pause(RETRY_SECONDS)

    def _stage_run(self, stage: Stage, child: ChildJob) -> StageRun:
        return StageRun(
            job=self._job,
            services=self._services,
            console=Console(child),
            reporter=self._reporter,
            progress=self._progress,
            stopping=self._stopping,
            step=stage.step,
            status=stage.status,
            cancellable=not stage.always,
        )

    def _outcome(
        self, stage: Stage, child: ChildJob, run: StageRun, parameters: Mapping[str, Any]
    ) -> tuple[State, str, Mapping[str, Any]]:
        """Run a stage; its state, the sentence that says why it failed, and what it leaves behind."""
        try:
            request = stage.request(parameters)
            jobs.start_child(child, request)
            run.require_wanted()
            self._open(stage, run)
            return State.SUCCESS, "", stage.act(request, run)
        except StageFailed as error:
            return State.FAILURE, error.message, error.result
        except Cancelled:
            if self._stopping():
                raise
            return State.ABORTED, CANCELLED, {}
        except DATABASE_AWAY:
            raise
        except CIError as error:
            log.warning("%s: %s: %s", self._job, stage.name, error)
            return State.FAILURE, error.message, {}
        except Exception as error:
            log.exception("%s: %s met an unexpected error", self._job, stage.name)
            return State.FAILURE, DISK_FULL if says_full(error) else UNEXPECTED, {}

    def _open(self, stage: Stage, run: StageRun) -> None:
        if stage.opening:
            run.tell(run.console.last or stage.opening)
        if stage.name == "build":
            for subticket in self._subtickets:
                self._reporter.subticket(subticket["id"], step="200", status="100", message="building")

    def _leave_behind(self, stage: Stage, message: str, result: Mapping[str, Any]) -> None:
        """Link the files of a stage, and say at the subtickets how their builds ended."""
        try:
            link_artifacts(result, subtickets=self._subtickets, reporter=self._reporter)
            for subticket in self._subtickets if stage.name == "build" else []:
                self._end_subticket(subticket, message, result)
        except MALFORMED:
            log.exception("%s: the result of %s is not as it should be", self._job, stage.name)

    def _end_subticket(self, subticket: Mapping[str, Any], message: str, result: Mapping[str, Any]) -> None:
        builds = [build for build in result.get("builds", []) if build["source"] == subticket["source"]]
        if builds and all(build["state"] == BUILT for build in builds):
            self._reporter.subticket(subticket["id"], step="200", status="1000", message="built")
        elif builds:
            self._reporter.subticket(subticket["id"], step="999", status="999", message=message)

    def _end(self, failed: tuple[Stage, ChildJob] | None) -> None:
        """Archive the logs, tell the ticket system, and only then end the job."""
        consoles = self._archive_consoles()
        if failed is None:
            message = self._reservation_about_tests()
            self._reporter.end(current_workflow_step="1000", status="1000", message=message)
            jobs.end(self._job, MasterJob.State.SUCCESS, message, {})
            return
        stage, child = failed
        aborted = child.state == State.ABORTED
        log_url = self._log_of(child) or consoles.get(stage.name, "")
        self._reporter.end(
            current_workflow_step="999",
            status="998" if aborted else "999",
            message=child.message,
            failed_workflow_step=stage.step,
            log_url=log_url,
        )
        state = MasterJob.State.ABORTED if aborted else MasterJob.State.FAILURE
        jobs.end(self._job, state, child.message, {"failed_stage": stage.name, "log_url": log_url})

    def _log_of(self, child: ChildJob) -> str:
        try:
            return failure_log(child.result)
        except MALFORMED:
            return ""

    def _reservation_about_tests(self) -> str:
        """What the owner of a ticket that is published should know: a source without tests was not tested."""
        try:
            untested = sources_with_verdict(jobs.child_of(self._job, "test").result, "no tests")
        except MALFORMED:
            return ""
        return f"published; without DEP-8 tests of its own: {', '.join(untested)}" if untested else ""

    def _archive_consoles(self) -> dict[str, str]:
        children = self._job.stages.prefetch_related("console")
        try:
            store = self._services.data_stores.open(
                f"ticket.{self._job.ticket_id}", "lander", public=not self._job.private
            )
            return archive_consoles(children, store=store, reporter=self._reporter)
        except (Cancelled, *DATABASE_AWAY):
            raise
        except Exception:
            log.exception("%s: the console logs are not archived", self._job)
            return {}

    def _pause(self, seconds: float) -> None:
        """Wait while the ticket system is away; only the lander's own end ends that."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if self._stopping():
                raise Cancelled("the lander goes down")
            time.sleep(min(TICK_SECONDS, left))


def _sentence(state: State, message: str) -> str:
    """How a stage ended, as the last line of its console says it."""
    return f"{state.lower()}: {message}" if message else state.lower()
