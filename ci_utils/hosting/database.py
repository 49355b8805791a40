"""Brings Django and its database up, for every command that needs them."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager

import django
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.utils import InterfaceError, OperationalError

from ci_utils.durability import settle
from ci_utils.errors import ConfigurationError, Unavailable

#: The advisory lock of PostgreSQL under which one process at a time migrates a database.
MIGRATING = 0x75636965


def set_up() -> None:
    """Set Django up and touch nothing."""
    try:
        django.setup()
    except ImproperlyConfigured as error:
        if "psycopg" not in str(error):
            raise
        raise ConfigurationError(
            "UCI_DATABASE: PostgreSQL needs psycopg2; install uci-engine[distributed]"
        ) from None


def prepare(*, verbosity: int = 0) -> None:
    """Set Django up and migrate the database if it is behind; one process does so at a time."""
    set_up()
    with usable(), _alone():
        if verbosity or _behind():
            call_command("migrate", interactive=False, verbosity=verbosity)


@contextmanager
def usable() -> Iterator[None]:
    """For commands: what they did is on the disk at the end.

    What a database that is locked, read-only or away raises becomes a sentence for the operator.
    """
    try:
        yield
        settle()
    except (OperationalError, InterfaceError) as error:
        raise ConfigurationError(_sentence(error)) from error


def check(*, for_operators: bool = False) -> None:
    """Raise `Unavailable` unless the database answers and has been migrated to this version.

    What the database's library says names hosts and users, so it is `for_operators` only.
    """
    try:
        behind = _behind()
    except (OperationalError, InterfaceError) as error:
        connection.close()
        sentence = _sentence(error) if for_operators else "the database does not answer (UCI_DATABASE)"
        raise Unavailable(sentence) from None
    if behind:
        raise Unavailable(
            f"the database (UCI_DATABASE) lacks {behind} migrations of this version; run uci-engine migrate"
        )


def _sentence(error: Exception) -> str:
    reason = str(error).partition("\n")[0]
    return f"the database cannot be used (UCI_DATABASE, UCI_DATA_DIR): {reason}"


@contextmanager
def _alone() -> Iterator[None]:
    """Keep other processes, here or on other machines, from migrating the same database."""
    if connection.vendor != "postgresql":
        with (settings.UCI.data_dir / "migrate.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [MIGRATING])
        try:
            yield
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [MIGRATING])


def _behind() -> int:
    """How many migrations have not been applied."""
    executor = MigrationExecutor(connection)
    return len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
