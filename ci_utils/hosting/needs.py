"""What a process needs from outside, looked at before it works and whenever somebody asks.

Every finding names the setting that leads there, in one sentence without a
secret. What is wrong for good (a name, a password) is a `ConfigurationError`;
what may come by itself (a server that starts) is `Unavailable`.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator

from ci_utils.config import SERVICES
from ci_utils.errors import CIError, ConfigurationError, NotFound, Unauthenticated, Unavailable
from ci_utils.hosting import database, ports

log = logging.getLogger(__name__)

Check = Callable[[], None]

RETRY_SECONDS = 1.0
#: Asking again sooner gets the same answer: anybody may ask whether a process is ready.
ANSWER_SECONDS = 2.0

#: Which ports the services use, beside the database and the broker that all have.
PORTS = {
    "ticket_system": ("data_stores", "archives"),
    "lander": ("data_stores", "archives"),
    "ppa_assigner": ("archives",),
    "branch_source_builder": ("data_stores", "archives"),
    "image_builder": ("data_stores", "archives", "image_store"),
    "test_runner": ("data_stores", "archives", "image_store", "compute"),
}
#: Whom the workers of a service ask. The lander tells the others its own address.
ASKED = {
    "ticket_system": ("lander",),
    "lander": (
        "lander",
        "ticket_system",
        "ppa_assigner",
        "branch_source_builder",
        "image_builder",
        "test_runner",
    ),
}


def require(services: tuple[str, ...], *, asking: bool, patience: float) -> None:
    """Raise the first thing that is missing; what may come is waited for, at most `patience` seconds.

    `asking` looks for the services that these ask over REST, too.
    """
    until = time.monotonic() + patience
    for check in _checks(services, starting=True, asking=asking):
        _wait_for(check, until)


def missing(services: tuple[str, ...]) -> list[CIError]:
    """Everything that is missing for requests to be answered, in the order in which to mend it."""
    found = []
    for check in _checks(services, starting=False):
        try:
            check()
        except CIError as error:
            found.append(error)
    return found


class Readiness:
    """Answers whether this process could do its work, looking at most every two seconds.

    Who asks while another looks gets the last answer: a server that is silent
    holds up one thread, however many ask.
    """

    def __init__(self, services: tuple[str, ...]) -> None:
        self._services = services
        self._looking = threading.Lock()
        self._looked_at = float("-inf")
        self._missing: list[CIError] = [Unavailable("what this process needs is still being looked at")]

    def require(self) -> None:
        """Raise `Unavailable` with a sentence for each thing that is missing."""
        if self._looking.acquire(blocking=False):
            try:
                self._look()
            finally:
                self._looking.release()
        if found := self._missing:
            raise Unavailable("; ".join(error.message for error in found))

    def _look(self) -> None:
        if time.monotonic() - self._looked_at >= ANSWER_SECONDS:
            self._missing = missing(self._services)
            self._looked_at = time.monotonic()


def _checks(services: tuple[str, ...], *, starting: bool, asking: bool = False) -> Iterator[Check]:
    yield lambda: database.check(for_operators=starting)
    yield lambda: ports.broker().check()
    used = {name for service in services for name in PORTS.get(service, ())}
    for name in sorted(used):
        yield lambda name=name: _look_at(name)  # type: ignore[misc]
    asked = {name for service in services for name in ASKED.get(service, ())} if asking else set()
    for name in SERVICES:
        if name in asked:
            yield lambda name=name: _ask(name)  # type: ignore[misc]


def _wait_for(check: Check, until: float) -> None:
    told = False
    while True:
        try:
            return check()
        except CIError as error:
            if not error.retryable or time.monotonic() >= until:
                raise
            if not told:
                log.warning("waiting: %s", error)
                told = True
        time.sleep(RETRY_SECONDS)


def _look_at(port: str) -> None:
    try:
        getattr(ports, port)().check()
    except OSError as error:  # local adapters make their directories before they can be asked
        raise ConfigurationError(f"UCI_DATA_DIR: the {port} in it cannot be used: {error.strerror}") from None


def _ask(service: str) -> None:
    """See whether the service is where its setting says, and takes the services' token."""
    setting, url = f"UCI_{service.upper()}_URL", ports.config().service_url(service)
    try:
        status = getattr(ports, service)().status()
    except Unavailable:
        raise Unavailable(f"{setting}: {url} does not answer") from None
    except Unauthenticated:
        raise ConfigurationError(
            f"UCI_SERVICE_TOKEN: {url} has another one; all services must have the same"
        ) from None
    except NotFound:
        raise ConfigurationError(f"{setting}: {url} is no part of an engine") from None
    if service not in status.get("services", {}):
        hosted = ", ".join(status.get("services", {})) or "no service"
        raise ConfigurationError(f"{setting}: {url} does not host {service}, but {hosted}")
