"""The addresses of the pages; the host serves them at its root. There are no resources of the API here."""

from __future__ import annotations

from typing import Any

from django.urls import include, path

from web_ui.static_files import static_file
from web_ui.views import accounts, create, engine, logs, openid, ticket, tickets

RESOURCES: list[Any] = []

_patterns = [
    path("", tickets.tickets, name="tickets"),
    path("new", create.new, name="new"),
    path("engine", engine.engine, name="engine"),
    path("login", accounts.log_in, name="login"),
    path("login/openid", openid.begin, name="openid"),
    path("login/openid/back", openid.back, name="openid-back"),
    path("logout", accounts.log_out, name="logout"),
    path("ticket/<int:ticket_id>", ticket.ticket, name="ticket"),
    path("ticket/<int:ticket_id>/now", ticket.moving, name="ticket-now"),
    path("ticket/<int:ticket_id>/queue", ticket.queue, name="queue"),
    path("ticket/<int:ticket_id>/cancel", ticket.cancel, name="cancel"),
    path("ticket/<int:ticket_id>/retry", ticket.retry, name="retry"),
    path("ticket/<int:ticket_id>/log/<int:owner>/<int:number>", logs.log, name="log"),
    path("ticket/<int:ticket_id>/building/<str:source>", logs.building, name="building"),
    path("ticket/<int:ticket_id>/console/<slug:stage>", logs.console, name="console"),
    path("ticket/<int:ticket_id>/results/<int:number>.xml", logs.junit, name="junit"),
    path("static/<str:name>", static_file, name="static"),
]

PAGES = [path("", include((_patterns, "web_ui")))]
