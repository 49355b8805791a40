"""Logs: pages of lines, searched, followed while they grow; and results for other tools."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from ci_utils.errors import InvalidRequest, NotFound
from ci_utils.subunit_results import junit_xml
from web_ui import backend
from web_ui.domain.files import TicketFile, file_of, files_of
from web_ui.domain.log_page import MAX_NEEDLE, console_lines, read_page, search
from web_ui.domain.stages import STATES
from web_ui.domain.ticket_page import read_now

MAX_STREAM_BYTES = 64 << 20
SHOWN_CONSOLE_LINES = 2000
MAX_DIGITS = 12


@require_safe
def log(request: HttpRequest, ticket_id: int, owner: int, number: int) -> HttpResponse:
    """A page of a file of text, from `?line=N` on or the last one (`?end=1`), or what `?q=TEXT` finds."""
    file = _file(request, ticket_id, owner, number)
    if not file.readable:
        raise InvalidRequest(f"{file.name} is no text; download it")
    reader = backend.files(request)
    text = request.GET.get("q", "").replace("\0", "")[:MAX_NEEDLE]
    line = _number(request.GET.get("line", "1"))
    context = {"ticket_id": ticket_id, "file": file, "text": text, "line": line}
    if text:
        context["found"] = search(reader, file, text, line)
    else:
        context["page"] = read_page(reader, file, None if "end" in request.GET else line)
    return render(request, "web_ui/log.html", context)


@require_safe
def console(request: HttpRequest, ticket_id: int, stage: str) -> HttpResponse:
    """What a stage prints, followed while it runs; `?after=N` is what htmx asks for: only what is new."""
    lander = backend.lander_of_ticket()
    now = read_now(backend.ticket_system(request), lander, ticket_id)
    child = next((c for c in (now.job or {"stages": []})["stages"] if c["stage"] == stage), None)
    if now.job is None or child is None:
        raise NotFound(f"ticket {ticket_id} has no stage {stage[:40]}")
    more = "after" in request.GET
    after = _number(request.GET.get("after", "0"))
    text = lander.console(now.job["id"], stage, after=after)
    lines = console_lines(text, after)
    context = {
        "ticket_id": ticket_id,
        "stage": stage,
        "state": STATES.get(child["state"], "waiting"),
        "lines": lines if more else lines[-SHOWN_CONSOLE_LINES:],
        "after": lines[-1].number if lines else after,
        "running": child["state"] in ("QUEUED", "RUNNING") and not now.ended,
    }
    return render(request, "web_ui/_console.html" if more else "web_ui/console.html", context)


@require_safe
def building(request: HttpRequest, ticket_id: int, source: str) -> HttpResponse:
    """The log of a build while it is written; `?start=N` is what htmx asks for: only what is new."""
    now = read_now(backend.ticket_system(request), backend.lander_of_ticket(), ticket_id)
    version = now.building.get(source)
    context: dict[str, Any] = {
        "ticket_id": ticket_id,
        "source": source,
        "lines": [],
        "ended": version is None,
    }
    start = _number(request.GET["start"]) if "start" in request.GET else None
    if version is not None:
        try:
            part = backend.builder_of_ticket().build_log(
                archive=now.archive, source=source, version=version, start=start
            )
            lines = console_lines(part["text"], 0)
            context |= {"lines": lines, "start": part["following"], "ended": part["ended"]}
        except NotFound:
            context |= {"start": start or 0}  # it has not begun
    whole = start is None
    return render(request, "web_ui/building.html" if whole else "web_ui/_building.html", context)


@require_safe
def junit(request: HttpRequest, ticket_id: int, number: int) -> HttpResponse:
    """A subunit stream of the ticket as JUnit XML."""
    file = _file(request, ticket_id, 0, number)
    if not file.is_subunit:
        raise InvalidRequest(f"{file.name} is no subunit stream")
    part = backend.files(request).part(file.url, 0, MAX_STREAM_BYTES)
    if part.size > len(part.content):
        raise InvalidRequest(f"{file.name} is too large to be converted here; download it")
    response = HttpResponse(junit_xml([part.content]), content_type="application/xml")
    name = f"ticket-{ticket_id}-{number}.xml"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _file(request: HttpRequest, ticket_id: int, owner: int, number: int) -> TicketFile:
    files = files_of(backend.ticket_system(request).ticket(ticket_id))
    return file_of(files, owner=owner, number=number)


def _number(text: str) -> int:
    plain = text.isascii() and text.isdigit() and len(text) < MAX_DIGITS
    return int(text) if plain else 1
