"""Tickets, their subtickets and the history of both."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import models
from django.db.models import Exists, OuterRef, Q

from ci_utils.api.tokens import Principal
from ticket_system.models.packages import SourcePackageUpload
from ticket_system.models.visibility import visible_to
from ticket_system.models.workflow import Status, WorkflowStep


class TicketQuerySet(models.QuerySet["Ticket"]):
    """Selections of tickets."""

    def visible_to(self, principal: Principal) -> TicketQuerySet:
        """Those that this principal may see."""
        return self.filter(visible_to(principal))

    def open(self) -> TicketQuerySet:
        """Those that have not ended."""
        return self.filter(ended_at__isnull=True)

    def with_words(self, words: Sequence[str]) -> TicketQuerySet:
        """Those that have every one of these words somewhere in what people look for."""
        found = self
        for word in words:
            sources = SubTicket.objects.filter(
                ticket=OuterRef("pk"), source_package_upload__sourcepackage__name__icontains=word
            )
            fields = ("title", "description", "owner", "bug_id")
            anywhere = Q(Exists(sources))
            for field in fields:
                anywhere |= Q(**{f"{field}__icontains": word})
            found = found.filter(anywhere)
        return found

    def with_sources(self) -> TicketQuerySet:
        """With subtickets and what they bring, in a constant number of queries."""
        subtickets = SubTicket.objects.select_related("source_package_upload__sourcepackage")
        return self.prefetch_related(models.Prefetch("subtickets", subtickets))

    def with_files(self) -> TicketQuerySet:
        """With subtickets, what they bring and its files, in a constant number of queries."""
        return self.with_sources().prefetch_related("subtickets__artifacts")

    def with_everything(self) -> TicketQuerySet:
        """With subtickets, artifacts and history, in a constant number of queries."""
        return self.with_files().prefetch_related("artifacts", "history")


class Progress(models.Model):
    """What tickets and subtickets have in common: where they are, and one sentence about it."""

    current_workflow_step = models.CharField(
        max_length=4, choices=WorkflowStep.choices, default=WorkflowStep.NEW
    )
    status = models.CharField(max_length=4, choices=Status.choices, default=Status.WAITING)
    message = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        abstract = True

    @property
    def step(self) -> WorkflowStep:
        return WorkflowStep(self.current_workflow_step)


class Ticket(Progress):
    """Source packages that are landed together, and the packages to add to or remove from the image.

    `submitter` is the name of the token that made it. `retry_of` is the ended
    ticket that this one repeats. `checksums` are the SHA-256 of its files by
    name, as they were verified when it was queued.
    """

    title = models.CharField(max_length=4096)
    description = models.TextField(blank=True)
    owner = models.CharField(max_length=254)
    bug_id = models.CharField(max_length=4096, blank=True)
    submitter = models.CharField(max_length=100)
    private = models.BooleanField(default=False)
    series = models.CharField(max_length=64)
    base_image = models.CharField(max_length=4096, blank=True)
    add_packages = models.JSONField(default=list)
    remove_packages = models.JSONField(default=list)
    failed_workflow_step = models.CharField(max_length=4, choices=WorkflowStep.choices, blank=True)
    log_url = models.CharField(max_length=4096, blank=True)
    queued_at = models.DateTimeField(null=True)
    checksums = models.JSONField(default=dict)
    cancel_requested_at = models.DateTimeField(null=True)
    retry_of = models.ForeignKey("self", models.SET_NULL, null=True, related_name="retries")

    objects = TicketQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["current_workflow_step", "-id"], name="ticket_step"),
            models.Index(fields=["status", "-id"], name="ticket_status"),
            models.Index(fields=["owner", "-id"], name="ticket_owner"),
            models.Index(fields=["private", "current_workflow_step", "status"], name="ticket_counts"),
            models.Index(fields=["-id"], condition=Q(ended_at__isnull=True), name="ticket_open"),
            models.Index(
                fields=["id"],
                condition=Q(ended_at__isnull=True, cancel_requested_at__isnull=False),
                name="ticket_cancelling",
            ),
        ]

    def __str__(self) -> str:
        return f"ticket {self.pk}"

    @property
    def cancelled(self) -> bool:
        """Whether somebody ended it."""
        return self.step is WorkflowStep.FAILED and self.status == Status.CANCELLED

    @property
    def failed_step(self) -> WorkflowStep | None:
        """Where it was when it failed."""
        return WorkflowStep(self.failed_workflow_step) if self.failed_workflow_step else None


class SubTicket(Progress):
    """One source package upload of a ticket and how its build goes."""

    ticket = models.ForeignKey(Ticket, models.CASCADE, related_name="subtickets")
    source_package_upload = models.OneToOneField(
        SourcePackageUpload, models.PROTECT, related_name="subticket"
    )
    assignee = models.CharField(max_length=254, blank=True)

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["current_workflow_step", "id"], name="subticket_step")]

    def __str__(self) -> str:
        return f"subticket {self.pk}"


class Transition(models.Model):
    """One change of a ticket's step or status."""

    ticket = models.ForeignKey(Ticket, models.CASCADE, related_name="history")
    workflow_step = models.CharField(max_length=4, choices=WorkflowStep.choices)
    status = models.CharField(max_length=4, choices=Status.choices)
    message = models.TextField(blank=True)
    changed_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.ticket_id}: {self.workflow_step}/{self.status}"
