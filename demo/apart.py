"""The engine of `bin/demo --distributed`: services as processes of their own, on servers of the demo's own.

Services and servers are started by what the tests start them with.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.table import Table

from ci_utils.errors import ToolFailed
from ci_utils.image_store.local import LocalImageStore
from demo.engine import KEPT_SETTINGS, Engine, Home
from tests.end_to_end.shared_parts import lend
from tests.harness import servers
from tests.harness.services import SERVICES, Stack, services_apart


@contextmanager
def running_services(home: Home, console: Console) -> Iterator[Engine]:
    """The services on PostgreSQL and RabbitMQ, each with an address, a database and a log of its own."""
    directory = home.directory / "apart"
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(mode=0o755)
    # Files outlive databases: this run's begin anew, with the base image and the cache of the ones before.
    lend(home.data_dir, directory / "data")
    forget_tickets(directory / "data" / "images")
    kept = {n: v for n, v in home.environment.items() if n in KEPT_SETTINGS}
    try:
        with servers.postgresql_server() as postgresql, servers.rabbitmq_server() as rabbitmq:
            stack = Stack(directory, postgresql.url, rabbitmq.url, kept)
            with services_apart(stack, show=lambda _: None):
                console.print(_processes(stack))
                environment = stack.environment("ticket_system") | {"UCI_TOKEN": stack.operator_token}
                yield Engine(stack.url(), {**home.environment, **environment})
    except servers.ServerMissing as missing:
        raise ToolFailed(str(missing)) from None
    except AssertionError as error:
        raise ToolFailed("a service or a server did not start", output=str(error)) from None


def forget_tickets(directory: Path) -> None:
    """Leave the base images alone in a store: new databases number their tickets from 1 again."""
    images = LocalImageStore(directory, "")
    for image in images.list():
        if image.name.startswith("ticket."):
            images.delete(image.id)


def _processes(stack: Stack) -> Table:
    table = Table("service", "address", "process that serves", "process that works", "database")
    for service in SERVICES:
        units = [stack.running(service, kind)[0] for kind in ("serve", "worker")]
        numbers = [str(unit.process.pid) for unit in units if unit.process]
        table.add_row(service, stack.url(service), *numbers, f"PostgreSQL, {service}")
    return table
