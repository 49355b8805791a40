"""Work of the test runner: one request at a time boots one machine."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from ci_utils.hosting import ports
from ci_utils.work_queue.worker import Periodic, Task, Work
from test_runner.domain.test_image import MACHINE_PREFIX, test_image

logger = logging.getLogger(__name__)

SWEEP_SECONDS = 600


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
        work_dir=ports.work_dir("test_runner"),
        limits=ports.limits(),
        timeout=config.test_timeout,
        report=task.progress.status,
        cancelled=task.cancelled,
    )


def sweep_machines() -> None:
    """Delete the machines of test runners that died and whose requests nobody took up again."""
    for name in ports.compute().sweep(MACHINE_PREFIX):
        logger.warning("the machine %s was left by a test runner that died; it is deleted", name)


WORK = [Work(queue="test_runner", handle=handle, message_fields=("ticket_id", "image_id"))]
PERIODIC = [Periodic("test-machines", SWEEP_SECONDS, sweep_machines)]
