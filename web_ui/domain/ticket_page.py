"""Everything that the page of a ticket shows, gathered from the services."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from zlib import crc32

from ci_utils.clients.lander import LanderClient
from ci_utils.clients.ticket_system import TicketSystemClient
from ci_utils.errors import CIError
from web_ui.domain.advice import advice_for
from web_ui.domain.ansi import plain
from web_ui.domain.files import FileClient, TicketFile
from web_ui.domain.stages import CANCELLED, COMPLETE, FAILED, NEW, Stage, read_stages

EXCERPT_BYTES = 16 << 10
EXCERPT_LINES = 25
MAX_MANIFEST_BYTES = 256 << 10
MAX_SHOWN_CHANGES = 500
SIGNS = {"+": "added", "-": "removed", "~": "changed"}


@dataclass(frozen=True)
class TestRow:
    """One DEP-8 test."""

    source: str
    name: str
    result: str
    reason: str
    seconds: float
    log: TicketFile | None


@dataclass(frozen=True)
class Change:
    """A package whose version differs from the base image's."""

    kind: str
    package: str
    versions: str


@dataclass(frozen=True)
class Changes:
    """How an image differs from its base: the first of `total` packages, or of `more` than were counted."""

    shown: Sequence[Change]
    total: int
    more: bool
    file: TicketFile

    @property
    def all_shown(self) -> bool:
        return len(self.shown) == self.total and not self.more


@dataclass(frozen=True)
class TicketNow:
    """What moves while a ticket is on its way."""

    ticket: Mapping[str, Any]
    job: Mapping[str, Any] | None
    place: Mapping[str, Any] | None

    @property
    def stages(self) -> list[Stage]:
        return read_stages(self.ticket, self.job)

    @property
    def ended(self) -> bool:
        return self.ticket["current_workflow_step"] in (FAILED, COMPLETE)

    @property
    def moving(self) -> bool:
        """Whether it makes sense to look again soon."""
        return not self.ended and self.ticket["current_workflow_step"] != NEW

    @property
    def state(self) -> str:
        """One word for its colour."""
        if self.ticket["status"] == CANCELLED:
            return "cancelled"
        step = self.ticket["current_workflow_step"]
        return {FAILED: "failed", COMPLETE: "done", NEW: "new"}.get(step, "running")

    @property
    def key(self) -> str:
        """Another one whenever more of the page changes than what moves."""
        return "-".join((self.state, *(stage.state for stage in self.stages)))

    @property
    def words(self) -> str:
        """Another one whenever the ticket says something else."""
        said = (str(self.ticket[name]) for name in ("current_workflow_step", "status", "message"))
        return f"{crc32(' '.join(said).encode()):x}"

    @property
    def building(self) -> Mapping[str, str]:
        """The versions of the sources that are being built, by name."""
        if self.job is None or not self.archive:
            return {}
        uploads = [subticket["source_package_upload"] for subticket in self.ticket["subtickets"]]
        return {str(upload["sourcepackage"]): str(upload["version"]) for upload in uploads}

    @property
    def archive(self) -> str:
        """Where packages are being built; empty if none are."""
        stages = self.job["stages"] if self.job else []
        builds = (c for c in stages if c["stage"] == "build" and c["state"] == "RUNNING")
        return next((str(child["parameters"].get("ppa", "")) for child in builds), "")

    @property
    def consoles(self) -> list[str]:
        """The stages of the lander that have printed something."""
        stages = self.job["stages"] if self.job else []
        return [str(child["stage"]) for child in stages if child["started_at"]]


@dataclass(frozen=True)
class Failure:
    """Why a ticket did not land: the end of the log that shows it, and what can be done."""

    sentence: str
    log: TicketFile | None
    lines: Sequence[str]
    advice: Sequence[str]


def read_now(tickets: TicketSystemClient, lander: LanderClient, ticket_id: int) -> TicketNow:
    """The ticket as it is now; without the lander when that is away."""
    ticket = tickets.ticket(ticket_id)
    place = None
    if ticket["queued_at"] and not ticket["ended_at"]:
        place = next(iter(tickets.get("queue/", ticket=ticket_id)["objects"]), None)
    return TicketNow(ticket, _job(lander, ticket_id), place)


def failure_of(ticket: Mapping[str, Any], files: Sequence[TicketFile], reader: FileClient) -> Failure | None:
    """Why the ticket did not land; None if it did or still may."""
    if ticket["current_workflow_step"] != FAILED:
        return None
    log = next((file for file in files if file.reference == ticket["log_url"]), None)
    lines = _last_lines(reader, log) if log else []
    return Failure(ticket["message"], log, lines, advice_for(ticket))


def tests_of(job: Mapping[str, Any] | None, files: Sequence[TicketFile]) -> list[TestRow]:
    """The DEP-8 tests that ran, by source."""
    sources = _result(job, "test").get("results", {}).get("sources", {})
    logs = {source: _test_log(source, files) for source in sources}
    return [
        TestRow(source, test["name"], test["result"], test["reason"], test["seconds"], logs[source])
        for source, judged in sorted(sources.items())
        for test in judged["tests"]
    ]


def changes_of(files: Sequence[TicketFile], reader: FileClient) -> Changes | None:
    """How the image differs from its base, package by package; None if it does not, or nobody knows."""
    difference = next((file for file in files if file.name.endswith(".manifest-diff")), None)
    if difference is None:
        return None
    try:
        part = reader.part(difference.url, 0, MAX_MANIFEST_BYTES)
    except CIError:
        return None
    lines = part.content.decode(errors="replace").splitlines()
    more = part.size > len(part.content)
    if more:
        del lines[-1]  # its end may be missing
    found = [change for line in lines if (change := _change(line))]
    return Changes(found[:MAX_SHOWN_CHANGES], len(found), more, difference) if found else None


def file_rows(files: Sequence[TicketFile], job: Mapping[str, Any] | None) -> list[TicketFile]:
    """The files in the order of their use: image (with its size), results, logs, what was uploaded."""
    size = _result(job, "image").get("size")
    order = ("IMAGE", "RESULTS", "LOGS", "SPU")
    sized = [
        replace(file, size=size) if file.type == "IMAGE" and file.size is None else file for file in files
    ]
    return sorted(sized, key=lambda file: order.index(file.type) if file.type in order else len(order))


def _test_log(source: str, files: Sequence[TicketFile]) -> TicketFile | None:
    """The log of a source's tests: the shortest name, as that of python-hello ends like that of hello."""
    logs = [file for file in files if file.name.endswith(f"-{source}-autopkgtest.log")]
    return min(logs, key=lambda file: len(file.name), default=None)


def _change(line: str) -> Change | None:
    sign, _, rest = line.partition(" ")
    package, _, versions = rest.partition(" ")
    return Change(SIGNS[sign], package, versions.replace("->", "→")) if sign in SIGNS else None


def _job(lander: LanderClient, ticket_id: int) -> Mapping[str, Any] | None:
    try:
        jobs = lander.get("job/", ticket_id=ticket_id, limit=1)["objects"]
    except CIError:
        return None
    return jobs[0] if jobs else None


def _result(job: Mapping[str, Any] | None, stage: str) -> Mapping[str, Any]:
    stages = job["stages"] if job else []
    return next((child["result"] for child in stages if child["stage"] == stage), {})


def _last_lines(reader: FileClient, log: TicketFile) -> list[str]:
    try:
        tail = reader.tail(log.url, EXCERPT_BYTES)
    except CIError:
        return []
    lines = plain(tail.content.decode(errors="replace")).splitlines()
    if tail.start and lines:
        del lines[0]  # its beginning is missing
    return lines[-EXCERPT_LINES:]
