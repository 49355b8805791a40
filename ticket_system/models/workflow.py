"""The steps of a ticket's way and the states it can be in at each.

Specification: "Get ticket status" (the steps) and "Update ticket status".
"""

from __future__ import annotations

from django.db import models


class WorkflowStep(models.TextChoices):
    """Where a ticket or subticket is. Tickets only ever move down this list."""

    NEW = "000", "New"
    QUEUED = "100", "Queued"
    PACKAGE_BUILDING = "200", "Package Building"
    IMAGE_BUILDING = "300", "Image Building"
    IMAGE_TESTING = "400", "Image Testing"
    PACKAGE_PUBLISHING = "500", "Package Publishing"
    FAILED = "999", "Failed"
    COMPLETE = "1000", "Complete"

    @property
    def final(self) -> bool:
        """Whether nothing comes after this step."""
        return self in (WorkflowStep.FAILED, WorkflowStep.COMPLETE)


class Status(models.TextChoices):
    """How far a ticket or subticket is within its step."""

    WAITING = "000", "Waiting"
    RUNNING = "100", "Running"
    CANCELLED = "998", "Cancelled"
    FAILED = "999", "Failed"
    DONE = "1000", "Done"


#: The states that an ended ticket can have, by its final step; the first is the usual one.
FINAL_STATES = {
    WorkflowStep.FAILED: (Status.FAILED, Status.CANCELLED),
    WorkflowStep.COMPLETE: (Status.DONE,),
}
