"""One ticket: its page, the part of it that moves, and what people do with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from ci_utils.clients.ticket_system import TicketSystemClient
from web_ui import backend
from web_ui.domain.files import files_of
from web_ui.domain.ticket_page import (
    TicketNow,
    changes_of,
    failure_of,
    file_rows,
    read_now,
    tests_of,
)


@require_safe
def ticket(request: HttpRequest, ticket_id: int) -> HttpResponse:
    """Everything about one ticket."""
    return _whole(request, _now(request, ticket_id))


@require_safe
def moving(request: HttpRequest, ticket_id: int) -> HttpResponse:
    """The part that moves while the ticket is on its way; the whole once another stage is `seen`."""
    now = _now(request, ticket_id)
    if request.GET.get("seen") == now.key:
        # Readers of screens are told what is new, and hear it once.
        return render(request, "web_ui/_now.html", {"now": now, "tell": request.GET.get("said") != now.words})
    response = _whole(request, now)
    response["HX-Retarget"] = response["HX-Reselect"] = "#live"
    return response


@require_POST
@login_required
def queue(request: HttpRequest, ticket_id: int) -> HttpResponse:
    """Hand a new ticket to the engine."""
    return _do(request, ticket_id, lambda client: client.queue(ticket_id))


@require_POST
@login_required
def cancel(request: HttpRequest, ticket_id: int) -> HttpResponse:
    """Stop a ticket."""
    return _do(request, ticket_id, lambda client: client.cancel(ticket_id))


@require_POST
@login_required
def retry(request: HttpRequest, ticket_id: int) -> HttpResponse:
    """Send a ticket again that failed or was cancelled."""
    again = backend.ticket_system(request).retry(ticket_id)
    return redirect("web_ui:ticket", ticket_id=again["id"])


def _do(request: HttpRequest, ticket_id: int, act: Callable[[TicketSystemClient], None]) -> HttpResponse:
    act(backend.ticket_system(request))
    return redirect("web_ui:ticket", ticket_id=ticket_id)


def _now(request: HttpRequest, ticket_id: int) -> TicketNow:
    return read_now(backend.ticket_system(request), backend.lander_of_ticket(), ticket_id)


def _may_change(request: HttpRequest, now: TicketNow) -> bool:
    """Whether to offer buttons; whether they do anything is decided by the ticket system."""
    user: Any = request.user
    own = bool(now.ticket["submitter"] == user.get_username())
    return bool(user.is_authenticated) and (own or bool(user.is_staff))


def _whole(request: HttpRequest, now: TicketNow) -> HttpResponse:
    files = files_of(now.ticket)
    reader = backend.files(request)
    context = {
        "now": now,
        "ticket": now.ticket,
        "failure": failure_of(now.ticket, files, reader),
        "tests": tests_of(now.job, files),
        "changes": changes_of(files, reader),
        "files": file_rows(files, now.job),
        "consoles": now.consoles,
        "may_change": _may_change(request, now),
    }
    return render(request, "web_ui/ticket.html", context)
