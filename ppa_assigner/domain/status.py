"""What `GET /api/v1/status` says of the pool."""

from __future__ import annotations

from typing import Any

from django.db.models import Count

from ppa_assigner.models import PPA


def status() -> dict[str, Any]:
    """How many archives are in each state, and which ticket holds which."""
    counts = dict(PPA.objects.values_list("state").annotate(Count("id")))
    reserved = PPA.objects.filter(state=PPA.State.RESERVED).order_by("name")
    return {
        "archives": {state.value: counts.get(state.value, 0) for state in PPA.State},
        "reserved": list(reserved.values("name", "ticket_id")),
    }
