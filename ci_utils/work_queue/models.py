"""The durable form of every piece of work that a service accepts."""

from __future__ import annotations

from django.db import models


class WorkRequest(models.Model):
    """One accepted request. `key` makes it idempotent: it is the progress trigger."""

    class State(models.TextChoices):
        QUEUED = "QUEUED"
        RUNNING = "RUNNING"
        COMPLETED = "COMPLETED"
        FAILED = "FAILED"

    queue = models.CharField(max_length=64)
    key = models.CharField(max_length=255)
    payload = models.JSONField()
    state = models.CharField(max_length=16, choices=State.choices, default=State.QUEUED)
    attempt = models.PositiveIntegerField(default=0)
    worker = models.CharField(max_length=64, blank=True)
    leased_until_at = models.DateTimeField(null=True)
    result = models.JSONField(null=True)
    accepted_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["queue", "key"], name="work_request_done_once")]
        indexes = [models.Index(fields=["queue", "state", "id"], name="work_request_claim")]

    def __str__(self) -> str:
        return f"{self.queue}/{self.key}"

    @property
    def ended(self) -> bool:
        return self.state in (self.State.COMPLETED, self.State.FAILED)
