"""The archives of the pool and who holds them.

Specification: chapter "PPA Assigner", "Design".
"""

from __future__ import annotations

from django.db import models
from django.db.models import Q


class PPA(models.Model):
    """One archive of the pool: free -> reserved -> dirty -> cleaning -> free."""

    class State(models.TextChoices):
        FREE = "free"
        RESERVED = "reserved"
        DIRTY = "dirty"
        CLEANING = "cleaning"

    name = models.CharField(max_length=255, unique=True)
    state = models.CharField(max_length=16, choices=State.choices)
    ticket_id = models.PositiveIntegerField(null=True)
    changed_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(state="reserved", ticket_id__isnull=False)
                | (~Q(state="reserved") & Q(ticket_id__isnull=True)),
                name="ppa_reserved_for_a_ticket",
            ),
            models.UniqueConstraint(fields=["ticket_id"], name="ppa_one_for_a_ticket"),
        ]

    def __str__(self) -> str:
        return self.name
