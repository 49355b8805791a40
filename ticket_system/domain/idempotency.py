"""Requests that come again: the same key of the same submitter stands for one ticket for ever.

As in the header `Idempotency-Key`: who gets no answer may send the same
request again and gets the ticket that the first one made.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ci_utils.api.tokens import Principal
from ci_utils.errors import Conflict
from ticket_system.models import IdempotencyKey, Ticket


@dataclass(frozen=True)
class KeyedRequest:
    """A request by its key, and by what its body says."""

    key: str
    sha256: str

    @classmethod
    def of(cls, key: str, body: Mapping[str, Any]) -> KeyedRequest:
        """The request with this key and this JSON body, however that is written."""
        return cls(key, hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest())


def made_before(request: KeyedRequest, *, by: Principal) -> Ticket | None:
    """The ticket that this request has made; `Conflict` if its key stands for another request."""
    kept = IdempotencyKey.objects.filter(submitter=by.name, key=request.key).select_related("ticket").first()
    if kept is None:
        return None
    if kept.sha256 != request.sha256:
        raise Conflict(
            f"Idempotency-Key: {request.key} stands for another request, which made {kept.ticket}; "
            "choose a new key for a new request"
        )
    return kept.ticket


def remember(request: KeyedRequest, ticket: Ticket, *, by: Principal) -> None:
    """Keep the key with the ticket; `IntegrityError` if somebody was first."""
    IdempotencyKey.objects.create(ticket=ticket, submitter=by.name, key=request.key, sha256=request.sha256)
