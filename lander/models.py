"""Master jobs, their child jobs and what those printed.

Specification: chapter "Lander", "Design": a master job per request, a child job
per stage, console log, parameters and result kept of each.
"""

from __future__ import annotations

from django.db import models

from ci_utils.api.tokens import Principal


class JobQuerySet(models.QuerySet["MasterJob"]):
    """Selections of master jobs."""

    def visible_to(self, principal: Principal) -> JobQuerySet:
        """Those that this principal may see: private ones only if it is a service or an operator."""
        if principal.sees_all:
            return self
        return self.filter(private=False)


class MasterJob(models.Model):
    """The landing of one ticket. `parameters` are those of `execute_request`."""

    class State(models.TextChoices):
        QUEUED = "QUEUED"
        RUNNING = "RUNNING"
        SUCCESS = "SUCCESS"
        FAILURE = "FAILURE"
        ABORTED = "ABORTED"

    ticket_id = models.PositiveIntegerField(db_index=True)
    progress_trigger = models.CharField(max_length=255, unique=True)
    parameters = models.JSONField()
    private = models.BooleanField(default=False)
    state = models.CharField(max_length=16, choices=State.choices, default=State.QUEUED)
    message = models.TextField(blank=True)
    result = models.JSONField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    cancelled_at = models.DateTimeField(null=True)

    objects = JobQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["state", "-id"], name="master_job_state")]

    def __str__(self) -> str:
        return f"job {self.pk} of ticket {self.ticket_id}"

    @property
    def ended(self) -> bool:
        return self.ended_at is not None

    @property
    def building(self) -> bool:
        """What `cancel_url` answers: whether the stages' work is still wanted.

        After a failed stage it is not: the archive goes back before the job ends.
        """
        failed = (ChildJob.State.FAILURE, ChildJob.State.ABORTED)
        return not (self.ended or self.cancelled_at or any(s.state in failed for s in self.stages.all()))


class ChildJob(models.Model):
    """One stage of a master job: what it was asked, and what came of it."""

    class State(models.TextChoices):
        QUEUED = "QUEUED"
        RUNNING = "RUNNING"
        SUCCESS = "SUCCESS"
        FAILURE = "FAILURE"
        ABORTED = "ABORTED"
        SKIPPED = "SKIPPED"

    master = models.ForeignKey(MasterJob, models.CASCADE, related_name="stages")
    stage = models.CharField(max_length=32)
    parameters = models.JSONField(default=dict)
    state = models.CharField(max_length=16, choices=State.choices, default=State.QUEUED)
    message = models.TextField(blank=True)
    result = models.JSONField(default=dict)
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["master", "stage"], name="child_job_once")]

    def __str__(self) -> str:
        return f"{self.stage} of {self.master}"

    @property
    def ended(self) -> bool:
        return self.ended_at is not None


class ConsoleLine(models.Model):
    """A line that a child job printed; lines are only ever added."""

    child = models.ForeignKey(ChildJob, models.CASCADE, related_name="console")
    written_at = models.DateTimeField()
    text = models.TextField()

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.written_at:%Y-%m-%dT%H:%M:%SZ} {self.text}"
