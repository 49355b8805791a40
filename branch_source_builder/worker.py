"""Does the accepted `build_source` requests."""

from __future__ import annotations

from typing import Any

from branch_source_builder.domain.build import BuildRequest, build_sources
from ci_utils.hosting import ports
from ci_utils.work_queue.worker import Periodic, Task, Work


def handle(task: Task) -> dict[str, Any]:
    return build_sources(
        BuildRequest.from_payload(task.payload),
        archives=ports.archives(),
        data_stores=ports.data_stores(),
        progress=task.progress,
        directory=ports.work_dir("branch_source_builder") / task.key,
        stopping=task.cancelled,
    )


WORK = [Work(queue="branch_source_builder", handle=handle, message_fields=("source_packages", "ppa"))]
PERIODIC: list[Periodic] = []
