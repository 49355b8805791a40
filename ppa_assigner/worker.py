"""The cleaner, and the pool kept in step with what its owner has."""

from __future__ import annotations

from ci_utils.hosting import ports
from ci_utils.work_queue.worker import Periodic, Work
from ppa_assigner.domain import cleaning, pool


def _populate() -> None:
    pool.populate(archives=ports.archives())


def _clean() -> None:
    cleaning.clean(archives=ports.archives())


WORK: list[Work] = []
PERIODIC = [
    Periodic("populate the pool", 600, _populate),
    Periodic("clean archives", 2, _clean),
]
