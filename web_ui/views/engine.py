"""The page of the engine itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from ci_utils.durations import duration
from ci_utils.errors import CIError
from web_ui import backend
from web_ui.domain.engine_page import read_services, stage_runs
from web_ui.domain.listing import QueueHead, read_queue
from web_ui.domain.plots import stage_plot

SHOWN_OF_QUEUE = 50

T = TypeVar("T")


@require_safe
def engine(request: HttpRequest) -> HttpResponse:
    """Services, workers, archives, queue and durations."""
    tickets, lander = backend.ticket_system(request), backend.lander(request)
    queue, queue_error = _answer(lambda: read_queue(tickets, SHOWN_OF_QUEUE), QueueHead())
    times: list[Any]
    times, times_error = _answer(lambda: lander.get("stagetimes/")["objects"], [])
    context = {
        "services": read_services(backend.services(request)),
        "queue": queue,
        "plots": [(runs, stage_plot(runs, duration)) for runs in stage_runs(times)],
        "unanswered": [error for error in (queue_error, times_error) if error],
        "here": "engine",
    }
    return render(request, "web_ui/engine.html", context)


def _answer(ask: Callable[[], T], nothing: T) -> tuple[T, str]:
    """What a service says, or `nothing` and why."""
    try:
        return ask(), ""
    except CIError as error:
        return nothing, error.message
