"""Requests that a client may send again, by the key that it gave them."""

from __future__ import annotations

from django.db import models

from ticket_system.models.tickets import Ticket


class IdempotencyKey(models.Model):
    """The key of the request that made a ticket, and the SHA-256 of its body; one request per submitter."""

    ticket = models.OneToOneField(Ticket, models.CASCADE, related_name="idempotency_key")
    submitter = models.CharField(max_length=100)
    key = models.CharField(max_length=255)
    sha256 = models.CharField(max_length=64)

    class Meta:
        ordering = ["ticket_id"]
        constraints = [
            models.UniqueConstraint(fields=["submitter", "key"], name="idempotency_key_of_submitter")
        ]

    def __str__(self) -> str:
        return f"{self.key} of {self.submitter}"
