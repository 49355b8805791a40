"""Work of the test runner: one request at a time boots one machine."""

from __future__ import annotations

from collections.abc import Mapping

from ci_utils.hosting import ports
from ci_utils.work_queue.worker import Periodic, Task, Work
from test_runner.domain.test_image import test_image


def handle(task: Task) -> Mapping[str, object]:
    """Do one `test_image` request."""
    config = ports.config()
    request = task.payload
    return test_image(
        ticket_id=str(request["ticket_id"]),
        trigger=task.key,
        image_id=request["image_id"],
        sources=request["package_list"],
        archive_list=request.get("ppa_list", []),
        private=request.get("private", False),
        archives=ports.archives(),
        compute=ports.compute(),
        data_stores=ports.data_stores(),
        work_dir=config.data_dir / "tests",
        limits=ports.limits(),
        timeout=config.test_timeout,
        report=task.progress.status,
        cancelled=task.cancelled,
    )


WORK = [Work(queue="test_runner", handle=handle, message_fields=("ticket_id", "image_id"))]
PERIODIC: list[Periodic] = []
