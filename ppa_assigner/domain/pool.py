"""Populate the pool, reserve an archive, give it back.

Specification: chapter "PPA Assigner", `populate`, `get_ppa`, `release_ppa`.
"""

from __future__ import annotations

import logging

from django.db import IntegrityError, transaction
from django.utils import timezone

from ci_utils.archive.port import Archives
from ci_utils.errors import CIError, Conflict, NoFreeArchive, NotFound
from ppa_assigner.models import PPA

log = logging.getLogger(__name__)

State = PPA.State


def populate(*, archives: Archives) -> None:
    """Take over the archives that the owner has and the pool does not know.

    One with something in it, or that cannot be looked into now, is cleaned before anybody gets it.
    """
    known = set(PPA.objects.values_list("name", flat=True))
    for name in archives.list_pool():
        if name not in known:
            state = State.FREE if _is_clean(name, archives) else State.DIRTY
            PPA.objects.get_or_create(name=name, defaults={"state": state, "changed_at": timezone.now()})


def reserve(*, ticket_id: int) -> tuple[PPA, bool]:
    """The archive a ticket holds, and whether it was reserved just now.

    A ticket that asks again gets the same one. Raises `NoFreeArchive`.
    """
    while True:
        # Asked for before the ticket's own: the same request at the same moment may take the last one.
        # The archive that rested longest, so that wear and surprises spread over the pool.
        free = PPA.objects.filter(state=State.FREE).order_by("changed_at", "id").first()
        held = PPA.objects.filter(ticket_id=ticket_id).first()
        if held is not None:
            return held, False
        if free is None:
            raise NoFreeArchive("there is no free archive now; one becomes free when a ticket ends")
        if _take(free, ticket_id):
            free.refresh_from_db()
            return free, True


def release(*, ppa_id: int, ticket_id: int | None = None) -> PPA:
    """Give a reserved archive back; it is cleaned before the next ticket gets it.

    Releasing it again does nothing. With `ticket_id` it is released only if
    this ticket holds it, so a release that comes late harms nobody. `NotFound`
    if there is no such archive, `Conflict` if it is not the ticket's, or free.
    """
    reserved = PPA.objects.filter(pk=ppa_id, state=State.RESERVED)
    if ticket_id is not None:
        reserved = reserved.filter(ticket_id=ticket_id)
    released = reserved.update(state=State.DIRTY, ticket_id=None, changed_at=timezone.now())
    ppa = PPA.objects.filter(pk=ppa_id).first()
    if ppa is None:
        raise NotFound(f"there is no archive {ppa_id} in the pool")
    if not released and ppa.state == State.FREE:
        raise Conflict(f"{ppa.name} is free; only a reserved archive can be released")
    if not released and ppa.state == State.RESERVED:
        raise Conflict(f"{ppa.name} is reserved for ticket {ppa.ticket_id}, not for ticket {ticket_id}")
    return ppa


def _is_clean(name: str, archives: Archives) -> bool:
    try:
        return archives.is_clean(name)
    except CIError as error:
        log.warning("%s comes into the pool unseen: %s", name, error)
        return False


def _take(ppa: PPA, ticket_id: int) -> bool:
    """Reserve this archive unless somebody else was quicker, or the ticket has got one meanwhile."""
    try:
        with transaction.atomic():
            return bool(
                PPA.objects.filter(pk=ppa.pk, state=State.FREE).update(
                    state=State.RESERVED, ticket_id=ticket_id, changed_at=timezone.now()
                )
            )
    except IntegrityError:
        return False
