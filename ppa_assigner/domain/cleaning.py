"""Dirty archives become clean and free again.

Specification: chapter "PPA Assigner", the daemon at the end of `release_ppa`.
Each step is asked for before it is recorded, and asking twice does no harm, so
a process that dies in between loses nothing.
"""

from __future__ import annotations

import logging

from django.utils import timezone

from ci_utils.archive.port import Archives
from ci_utils.errors import CIError
from ci_utils.work_queue.requests import DATABASE_AWAY
from ppa_assigner.models import PPA

log = logging.getLogger(__name__)

State = PPA.State


def clean(*, archives: Archives) -> None:
    """Move every dirty or cleaning archive on as far as it is; one that fails waits for the next turn."""
    for ppa in PPA.objects.filter(state__in=(State.DIRTY, State.CLEANING)).order_by("changed_at"):
        try:
            _move_on(ppa, archives)
        except CIError as error:
            log.warning("cleaning %s: %s; trying again", ppa.name, error)
        except DATABASE_AWAY:
            raise  # then it is away for all of them
        except Exception:
            log.exception("cleaning %s met an unexpected error; trying again", ppa.name)


def _move_on(ppa: PPA, archives: Archives) -> None:
    # Another worker may have cleaned it since the list was read, and a ticket may have it already.
    ppa.refresh_from_db()
    if ppa.state == State.DIRTY:
        archives.request_cleaning(ppa.name)
        _change(ppa, State.CLEANING)
    if ppa.state == State.CLEANING and archives.is_clean(ppa.name):
        _change(ppa, State.FREE)


def _change(ppa: PPA, state: PPA.State) -> None:
    PPA.objects.filter(pk=ppa.pk, state=ppa.state).update(state=state, changed_at=timezone.now())
    ppa.state = state
