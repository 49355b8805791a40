"""How long the stages of the last landings took."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ci_utils.api.tokens import Principal
from lander.models import ChildJob, MasterJob

RECENT_JOBS = 40


@dataclass(frozen=True)
class StageTime:
    """One stage of one landing."""

    ticket_id: int
    stage: str
    state: str
    ended_at: datetime
    seconds: float


def recent_stage_times(*, by: Principal) -> list[StageTime]:
    """The stages that were done or failed in the last jobs that `by` may see, the latest job first."""
    jobs = MasterJob.objects.visible_to(by).filter(ended_at__isnull=False).order_by("-id")[:RECENT_JOBS]
    done = (ChildJob.State.SUCCESS, ChildJob.State.FAILURE)
    stages = (
        ChildJob.objects.filter(master__in=list(jobs.values_list("pk", flat=True)), state__in=done)
        .select_related("master")
        .order_by("-master_id", "id")
    )
    return [
        StageTime(child.master.ticket_id, child.stage, child.state, child.ended_at, _seconds(child))
        for child in stages.defer("parameters", "result", "master__parameters", "master__result")
        if child.started_at and child.ended_at
    ]


def _seconds(child: ChildJob) -> float:
    began, ended = child.started_at, child.ended_at
    return max(0.0, (ended - began).total_seconds()) if began and ended else 0.0
