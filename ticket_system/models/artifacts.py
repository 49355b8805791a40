"""Files of tickets and subtickets, by reference.

A name is there once per owner and type, so reporting a file twice adds nothing.
"""

from __future__ import annotations

from django.db import models

from ticket_system.models.tickets import SubTicket, Ticket


class Artifact(models.Model):
    """A name and the URL where the file is; `size` in bytes where it is known."""

    name = models.CharField(max_length=255)
    reference = models.CharField(max_length=4096)
    size = models.BigIntegerField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.name


class TicketArtifact(Artifact):
    """A file of a whole ticket: the image, results, logs."""

    class Type(models.TextChoices):
        RESULTS = "RESULTS"
        LOGS = "LOGS"
        IMAGE = "IMAGE"

    ticket = models.ForeignKey(Ticket, models.CASCADE, related_name="artifacts")
    type = models.CharField(max_length=8, choices=Type.choices)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["ticket", "type", "name"], name="ticket_artifact_once")
        ]


class SubTicketArtifact(Artifact):
    """A file of a subticket: the upload's own files (SPU), results, logs."""

    class Type(models.TextChoices):
        SPU = "SPU"
        RESULTS = "RESULTS"
        LOGS = "LOGS"

    subticket = models.ForeignKey(SubTicket, models.CASCADE, related_name="artifacts")
    type = models.CharField(max_length=8, choices=Type.choices)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["subticket", "type", "name"], name="subticket_artifact_once")
        ]
