"""The services that this process hosts, found by name: every service has the same rooms."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from types import ModuleType
from typing import Any

from django.conf import settings


def room(service: str, name: str) -> ModuleType:
    """A module of a service, such as `urls` or `domain.status`."""
    return import_module(f"{service}.{name}")


def hosted() -> tuple[str, ...]:
    """Names of the hosted services."""
    return tuple(settings.UCI.services)


def serves_files() -> bool:
    """Whether what local adapters keep is served here: people reach that at the ticket system's address."""
    return "ticket_system" in hosted()


def workers() -> Iterator[tuple[str, ModuleType]]:
    """The `worker` rooms of the hosted services, with `WORK` and `PERIODIC`."""
    for service in hosted():
        yield service, room(service, "worker")


def status() -> dict[str, Any]:
    """What each hosted service says of itself."""
    return {service: room(service, "domain.status").status() for service in hosted()}
