"""`uci-engine project`: loads project data.

Specification: "Project Manager" (a file in JSON format with the binary name,
source package name and version per entry).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ci_utils.errors import CIError
from ticket_system.domain.project import load_project_data


class Command(BaseCommand):
    help = "Load the binary packages that are monitored and tested."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        load = actions.add_parser("load", help="Add or update the packages that a file lists.")
        load.add_argument("file", type=Path, help='a JSON list of {"binary", "source", "version"}')

    def handle(self, *_: Any, **options: Any) -> None:
        try:
            numbers = load_project_data(options["file"].read_bytes())
        except CIError as error:
            raise CommandError(f"{options['file']}: {error.message}") from None
        except OSError as error:
            raise CommandError(f"{options['file']} cannot be read: {error.strerror}") from None
        self.stdout.write(
            "loaded {binary_packages} binary packages of {source_packages} source packages".format(**numbers)
        )
