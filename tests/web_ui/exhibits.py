"""Tickets of every kind as the services would have made them, for pages to show."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from ci_utils.hosting import ports
from lander.models import ChildJob, ConsoleLine, MasterJob
from ticket_system.models import (
    SourcePackage,
    SourcePackageUpload,
    Status,
    SubTicket,
    SubTicketArtifact,
    Ticket,
    TicketArtifact,
    Transition,
    WorkflowStep,
)

STAGES = ("reserve", "build", "image", "test", "publish", "release")
STEPS = {"build": "200", "image": "300", "test": "400", "publish": "500"}
SECONDS = {"reserve": 1, "build": 84, "image": 12, "test": 151, "publish": 3, "release": 1}
BUILD_LOG = "".join(
    f"cc -O2 -g -fstack-protector-strong -c -o part{n}.o part{n}.c\n" for n in range(1, 1500)
) + (
    "\x1b[1;31merror:\x1b[0m part1499.c:12:5: expected ';' before 'return'\n"
    "make[1]: *** [Makefile:31: part1499.o] Error 1\n"
    "dpkg-buildpackage: error: debian/rules binary subprocess returned exit status 2\n"
)
DIFFERENCE = "+ hello 2.10-4\n~ libc6 2.36-9+deb12u8 -> 2.36-9+deb12u9\n- nano 7.2-1\n"
SUBUNIT = (
    b"test: hello.upstream\nsuccess: hello.upstream\n"
    b"test: hello.greets\nfailure: hello.greets [\nno greeting\n]\n"
)


def make_ticket(
    title: str = "Greet the world",
    *,
    sources: Sequence[tuple[str, str]] = (("hello", "2.10-4"),),
    owner: str = "alice@example.com",
    submitter: str = "alice",
    private: bool = False,
    **fields: Any,
) -> Ticket:
    """A new ticket with its sources."""
    ticket = Ticket.objects.create(
        title=title, owner=owner, submitter=submitter, private=private, series="bookworm", **fields
    )
    Transition.objects.create(ticket=ticket, workflow_step="000", status="000")
    for name, version in sources:
        package, _ = SourcePackage.objects.get_or_create(name=name)
        upload = SourcePackageUpload.objects.create(sourcepackage=package, version=version)
        SubTicket.objects.create(ticket=ticket, source_package_upload=upload)
    return ticket


def run(
    ticket: Ticket,
    *,
    until: str = "",
    failed: str = "",
    message: str = "",
    results: dict[str, Any] | None = None,
    log: str = BUILD_LOG,
    ago: float = 0,
) -> MasterJob:
    """Take a ticket on its way: to its end, `until` a stage that runs, or to one that `failed`.

    It began so many minutes `ago`.
    """
    start = timezone.now() - timedelta(seconds=ago * 60 or (0 if until == "build" else 260))
    ticket.queued_at = start - timedelta(seconds=40)
    job = MasterJob.objects.create(
        ticket_id=ticket.pk,
        progress_trigger=f"ticket-{ticket.pk}",
        parameters={},
        private=ticket.private,
        state=MasterJob.State.RUNNING,
        started_at=start,
    )
    _move(ticket, "100", Status.WAITING, ticket.queued_at)
    at = start
    for stage in STAGES:
        state = _state(stage, until, failed)
        child = ChildJob.objects.create(master=job, stage=stage, state=state)
        if state in (ChildJob.State.QUEUED, ChildJob.State.SKIPPED):
            continue
        child.started_at = at
        if stage in STEPS:
            _move(ticket, STEPS[stage], Status.RUNNING, at)
        ConsoleLine.objects.create(child=child, written_at=at, text=f"{stage} begins")
        at += timedelta(seconds=SECONDS[stage])
        if state != ChildJob.State.RUNNING:
            child.ended_at = at
            child.result = _result(ticket, stage, results)
        child.save()
        if stage == until:
            ticket.message = message or f"{stage} is in work (2 of 4)"
    _leave_files(ticket, log, failed, reached=until or failed or "release")
    if not until:
        _end(ticket, job, failed, message, at)
    ticket.save()
    return job


def _state(stage: str, until: str, failed: str) -> ChildJob.State:
    order = STAGES.index(stage)
    if failed:
        if stage == "release" or order < STAGES.index(failed):
            return ChildJob.State.SUCCESS
        return ChildJob.State.FAILURE if stage == failed else ChildJob.State.SKIPPED
    if until:
        if stage == until:
            return ChildJob.State.RUNNING
        return ChildJob.State.SUCCESS if order < STAGES.index(until) else ChildJob.State.QUEUED
    return ChildJob.State.SUCCESS


def _result(ticket: Ticket, stage: str, results: dict[str, Any] | None) -> dict[str, Any]:
    if stage == "image":
        return {"size": 734_003_200, "image_name": f"ticket.{ticket.pk}"}
    if stage == "test":
        default = {
            "hello": {
                "version": "2.10-4",
                "verdict": "passed",
                "tests": [
                    {"name": "upstream", "result": "passed", "reason": "", "seconds": 42},
                    {"name": "greets", "result": "passed", "reason": "(superficial)", "seconds": 3},
                ],
            }
        }
        return {"results": {"sources": results or default}}
    return {}


def _move(ticket: Ticket, step: str, status: str, at: datetime, message: str = "") -> None:
    ticket.current_workflow_step, ticket.status, ticket.message = step, status, message
    change = Transition.objects.create(ticket=ticket, workflow_step=step, status=status, message=message)
    Transition.objects.filter(pk=change.pk).update(changed_at=at)


def _leave_files(ticket: Ticket, log: str, failed: str, *, reached: str) -> None:
    store = ports.data_stores().open(f"ticket.{ticket.pk}", "exhibit", public=not ticket.private)
    order = STAGES.index(reached)
    subticket = ticket.subtickets.first()
    if order >= STAGES.index("build") and subticket:
        name = "hello_2.10-4_amd64.build.log"
        url = store.put_file(name, log.encode())
        SubTicketArtifact.objects.create(subticket=subticket, name=name, type="LOGS", reference=url)
        if failed == "build":
            ticket.log_url = url
    if order > STAGES.index("image"):
        _ticket_file(ticket, store, "lander-1-image.manifest-diff", DIFFERENCE.encode(), "LOGS")
    if order > STAGES.index("test") or failed == "test":
        _ticket_file(ticket, store, "lander-1-test-hello.subunit", SUBUNIT, "RESULTS")
        text = b"autopkgtest [12:00:00]: test greets: [-----\nno greeting\nautopkgtest: test greets: FAIL\n"
        url = _ticket_file(ticket, store, "lander-1-test-hello-autopkgtest.log", text, "LOGS")
        if failed == "test":
            ticket.log_url = url


def _ticket_file(ticket: Ticket, store: Any, name: str, content: bytes, kind: str) -> str:
    url = str(store.put_file(name, content))
    TicketArtifact.objects.create(ticket=ticket, name=name, type=kind, reference=url)
    return url


def _end(ticket: Ticket, job: MasterJob, failed: str, message: str, at: datetime) -> None:
    if failed:
        ticket.failed_workflow_step = STEPS[failed]
        _move(ticket, WorkflowStep.FAILED, Status.FAILED, at, message)
        job.state = MasterJob.State.FAILURE
    else:
        _move(ticket, WorkflowStep.COMPLETE, Status.DONE, at, message)
        job.state = MasterJob.State.SUCCESS
    ticket.ended_at = job.ended_at = at
    job.save()
