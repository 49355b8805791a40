"""The services as a page asks them: on behalf of whoever looks at it.

What people may see is decided by the services; this only says who asks.
"""

from __future__ import annotations

from functools import cache
from typing import Any, TypeVar

from django.http import HttpRequest

from ci_utils.clients.base import ServiceClient
from ci_utils.clients.lander import LanderClient
from ci_utils.clients.on_behalf import carried_by, on_behalf_of
from ci_utils.clients.ticket_system import TicketSystemClient
from ci_utils.clients.work import BranchSourceBuilderClient
from ci_utils.config import SERVICES, OpenIDConfig
from ci_utils.hosting import ports
from ci_utils.hosting.in_process import InProcess
from web_ui.domain.files import FileClient

Client = TypeVar("Client", bound=ServiceClient)


def ticket_system(request: HttpRequest) -> TicketSystemClient:
    """The ticket system, asked by whoever is logged in, else by nobody."""
    return _as(request, "ticket_system", ports.ticket_system())


def lander(request: HttpRequest) -> LanderClient:
    """The lander, asked by whoever is logged in."""
    return _as(request, "lander", ports.lander())


def lander_of_ticket() -> LanderClient:
    """The lander, asked by the pages themselves, about a ticket that the ticket system has shown before.

    The lander knows of no submitters: whoever may see a ticket may see its job.
    """
    return _here("lander", ports.lander())


def builder_of_ticket() -> BranchSourceBuilderClient:
    """The branch/source builder, asked as `lander_of_ticket` is."""
    return _here("branch_source_builder", ports.branch_source_builder())


def services(request: HttpRequest) -> dict[str, ServiceClient]:
    """A client of every service, by its name in `SERVICES`."""
    config = ports.config()
    token = config.service_token
    return {
        name: _as(request, name, ServiceClient(config.service_url(name), token))
        for name in SERVICES
        if name != "web_ui" or name in config.services
    }


def files(request: HttpRequest) -> FileClient:
    """Reads files of tickets as whoever is logged in may."""
    client = FileClient(ports.config().url, ports.config().service_token)
    return _as(request, "ticket_system", client)  # it serves what local adapters keep


@cache
def openid_settings() -> OpenIDConfig:
    """The settings of logging in with OpenID Connect."""
    return OpenIDConfig.from_environment()


def name_and_scopes(request: HttpRequest) -> tuple[str, tuple[str, ...]]:
    """Who looks at a page, in the terms of the API: a user is a principal of the same name."""
    user: Any = request.user
    if not user.is_authenticated:
        return "", ()
    return user.get_username(), ("operate" if user.is_staff else "submit",)


def _as(request: HttpRequest, service: str, client: Client) -> Client:
    return on_behalf_of(_here(service, client), *name_and_scopes(request))


def _here(service: str, client: Client) -> Client:
    """The same client, without a socket if the service is one of this process.

    The address does not tell: people's address is the same for all processes.
    """
    config = ports.config()
    return carried_by(client, InProcess(), config.url) if service in config.services else client
