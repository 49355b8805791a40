"""Who may see a ticket, as a condition for queries.

A private ticket is there for its submitter, operators and services only.
"""

from __future__ import annotations

from django.db.models import Q

from ci_utils.api.tokens import Principal


def visible_to(principal: Principal, ticket: str = "") -> Q:
    """The condition under which `principal` may see a ticket; `ticket` is the lookup path to it."""
    if principal.sees_all:
        return Q()
    public = Q(**{f"{ticket}private": False})
    return public | Q(**{f"{ticket}submitter": principal.name}) if principal.known else public
