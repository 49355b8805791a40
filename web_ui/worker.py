"""What the pages do in the background: they forget sessions that have expired."""

from __future__ import annotations

from importlib import import_module

from django.conf import settings

from ci_utils.work_queue.worker import Periodic, Work

EVERY_SECONDS = 3600


def forget_expired_sessions() -> None:
    """Take the rows away that nobody can use any more."""
    import_module(settings.SESSION_ENGINE).SessionStore.clear_expired()


WORK: list[Work] = []
PERIODIC = [Periodic("web-ui-sessions", EVERY_SECONDS, forget_expired_sessions)]
