"""Work of the image builder: one image at a time."""

from __future__ import annotations

from collections.abc import Mapping

from ci_utils.archive.port import Archives
from ci_utils.errors import Unavailable
from ci_utils.hosting import ports
from ci_utils.work_queue.worker import Periodic, Task, Work
from image_builder.domain.base_images import BaseImages
from image_builder.domain.build_image import build_image


def _lasting_archive(archives: Archives) -> str | None:
    """The archive that images keep as a source of apt: the published one, where they can reach it.

    A PPA cannot be one before something was published in it: Launchpad has not made its key yet.
    """
    destination = archives.destination()
    if ports.config().archives != "launchpad":
        return destination if ports.config().public_url else None
    try:
        archives.apt_archive(destination)
    except Unavailable:
        return None
    return destination


def handle(task: Task) -> Mapping[str, object]:
    """Do one `build_image` request."""
    config = ports.config()
    request = task.payload
    archives = ports.archives()
    work_dir = ports.work_dir("image_builder")
    return build_image(
        ticket_id=str(request["ticket_id"]),
        trigger=task.key,
        base=next(iter(request["base_image"]["url_list"]), "") or config.base_image,
        series=request["base_image"]["series"],
        archive_list=request["ppa_list"],
        add=request["package_list"],
        remove=request.get("remove_package_list", []),
        lasting_archive=_lasting_archive(archives),
        private=request.get("private", False),
        base_images=BaseImages(
            ports.image_store(),
            ports.mirror(),
            work_dir,
            for_cloud=config.image_store == "glance",
        ),
        archives=archives,
        image_store=ports.image_store(),
        data_stores=ports.data_stores(),
        mirror=ports.mirror(),
        work_dir=work_dir,
        limits=ports.limits(),
        timeout=config.image_timeout,
        report=task.progress.status,
        cancelled=task.cancelled,
    )


WORK = [Work(queue="image_builder", handle=handle, message_fields=("ticket_id",))]
PERIODIC: list[Periodic] = []
