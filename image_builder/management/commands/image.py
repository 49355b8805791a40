"""`uci-engine image base`: make, add, list and remove base images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from ci_utils.hosting import ports
from image_builder.domain.base_images import BaseImages

MIB = 1 << 20


class Command(BaseCommand):
    help = "Keep the base images that tickets' images begin with."

    def add_arguments(self, parser: CommandParser) -> None:
        kinds = parser.add_subparsers(dest="kind", required=True, metavar="base")
        base = kinds.add_parser("base", help="base images")
        actions = base.add_subparsers(dest="action", required=True, metavar="ACTION")
        make = actions.add_parser("make", help="make one of the engine's series from the mirror")
        make.add_argument("name", nargs="?", metavar="NAME", help="default: the series and architecture")
        add = actions.add_parser("add", help="add a cloud image (qcow2)")
        add.add_argument("name", metavar="NAME", help="what tickets call it")
        add.add_argument("source", metavar="PATH|URL", help="where it is")
        add.add_argument("--sha256", required=True, metavar="HEX", help="checksum that the image must have")
        actions.add_parser("list", help="list them")
        remove = actions.add_parser("remove", help="remove one")
        remove.add_argument("name", metavar="NAME", help="as `image base list` shows it")

    def handle(self, *_: Any, **options: Any) -> None:
        for_cloud = ports.config().image_store == "glance"
        images = BaseImages(ports.image_store(), ports.mirror(), self._work_dir, for_cloud=for_cloud)
        action = getattr(self, f"_{options['action']}")
        action(images, options)

    @property
    def _work_dir(self) -> Path:
        return ports.work_dir("image_builder")

    def _make(self, images: BaseImages, options: dict[str, Any]) -> None:
        self._work_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (self._work_dir / "base.log").open("wb") as log:
            image = images.make(
                options["name"] or images.default_name,
                log=log,
                timeout=ports.config().image_timeout,
                report=self.stdout.write,
            )
        self.stdout.write(f"{image.name} is ready ({image.size // MIB} MiB)")

    def _add(self, images: BaseImages, options: dict[str, Any]) -> None:
        image = images.add(
            options["name"], options["source"], sha256=options["sha256"], report=self.stdout.write
        )
        self.stdout.write(f"{image.name} is ready ({image.size // MIB} MiB)")

    def _list(self, images: BaseImages, _: dict[str, Any]) -> None:
        for image in images.list():
            self.stdout.write(f"{image.name}\t{image.size // MIB} MiB\t{image.properties['origin']}")

    def _remove(self, images: BaseImages, options: dict[str, Any]) -> None:
        images.remove(options["name"])
        self.stdout.write(f"{options['name']} is removed")
