"""`uci-engine image base`: make, list and remove base images."""

from __future__ import annotations

import tempfile
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
        actions.add_parser("list", help="list them")
        remove = actions.add_parser("remove", help="remove one")
        remove.add_argument("name", metavar="NAME")

    def handle(self, *_: Any, **options: Any) -> None:
        work_dir = ports.config().data_dir / "image-builds"
        images = BaseImages(ports.image_store(), ports.mirror(), work_dir)
        action = getattr(self, f"_{options['action']}")
        action(images, options)

    def _make(self, images: BaseImages, options: dict[str, Any]) -> None:
        with tempfile.TemporaryFile() as log:
            image = images.make(
                options["name"] or images.default_name,
                log=log,
                timeout=ports.config().image_timeout,
                report=self.stdout.write,
            )
        self.stdout.write(f"{image.name} is ready ({image.size // MIB} MiB)")

    def _list(self, images: BaseImages, _: dict[str, Any]) -> None:
        for image in images.list():
            self.stdout.write(f"{image.name}\t{image.size // MIB} MiB\t{image.properties['origin']}")

    def _remove(self, images: BaseImages, options: dict[str, Any]) -> None:
        images.remove(options["name"])
        self.stdout.write(f"{options['name']} is removed")
