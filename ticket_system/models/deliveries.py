"""The outbox: what has to be told to whom."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q

from ticket_system.models.tickets import Ticket


class Delivery(models.Model):
    """One notification to one target, written with what it tells of; tried until it is there or given up.

    `payload` is what is told, as it was then. `ended_at` is when it was
    delivered or, with a `failure`, given up.
    """

    class Kind(models.TextChoices):
        MAIL = "MAIL"
        WEBHOOK = "WEBHOOK"

    key = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    ticket = models.ForeignKey(Ticket, models.CASCADE, related_name="deliveries")
    kind = models.CharField(max_length=8, choices=Kind.choices)
    target = models.CharField(max_length=4096)
    payload = models.JSONField()
    attempts = models.PositiveIntegerField(default=0)
    due_at = models.DateTimeField(auto_now_add=True)
    failure = models.TextField(blank=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["id"]
        verbose_name_plural = "deliveries"
        indexes = [models.Index(fields=["due_at"], condition=Q(ended_at__isnull=True), name="delivery_due")]

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"
