"""The list of tickets: newest first, filtered, with the numbers per step."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from web_ui import backend
from web_ui.domain.listing import read_listing, read_query


@require_safe
def tickets(request: HttpRequest) -> HttpResponse:
    """The first page that people see."""
    listing = read_listing(backend.ticket_system(request), read_query(request.GET.dict()))
    return render(request, "web_ui/tickets.html", {"listing": listing, "here": "tickets"})
