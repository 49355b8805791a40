"""Brings Django and its database up, for every command that needs them."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager

import django
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.utils import OperationalError

from ci_utils.errors import ConfigurationError


def prepare(*, verbosity: int = 0) -> None:
    """Set Django up and migrate the database if it is behind; one process does so at a time."""
    django.setup()
    with usable(), (settings.UCI.data_dir / "migrate.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if verbosity or _is_behind():
            call_command("migrate", interactive=False, verbosity=verbosity)


@contextmanager
def usable() -> Iterator[None]:
    """What a database that is locked, read-only or away raises becomes a sentence for the operator."""
    try:
        yield
    except OperationalError as error:
        raise ConfigurationError(
            f"the database cannot be used (UCI_DATABASE, UCI_DATA_DIR): {str(error).splitlines()[0]}"
        ) from error


def _is_behind() -> bool:
    executor = MigrationExecutor(connection)
    return bool(executor.migration_plan(executor.loader.graph.leaf_nodes()))
