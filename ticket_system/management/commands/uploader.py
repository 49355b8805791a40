"""`uci-engine uploader`: whose signed uploads the engine accepts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ci_utils.errors import CIError
from ticket_system.domain.uploaders import add_uploader, remove_uploader
from ticket_system.models import TrustedUploader


class Command(BaseCommand):
    help = "Add, list or remove the OpenPGP keys whose uploads are accepted."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        add = actions.add_parser("add", help="Trust the public key in a file.")
        add.add_argument("keyfile", type=Path, help="what gpg --armor --export KEYID printed")
        actions.add_parser("list", help="Show the keys that are trusted.")
        remove = actions.add_parser("remove", help="Trust a key no longer.")
        remove.add_argument("fingerprint", help="as `uploader list` shows it")

    def handle(self, *_: Any, **options: Any) -> None:
        try:
            self._act(options)
        except CIError as error:
            raise CommandError(error.message) from None
        except OSError as error:
            raise CommandError(f"{options['keyfile']} cannot be read: {error.strerror}") from None

    def _act(self, options: dict[str, Any]) -> None:
        if options["action"] == "add":
            uploader = add_uploader(options["keyfile"].read_bytes())
            self.stdout.write(f"trusted: {uploader}")
        elif options["action"] == "remove":
            remove_uploader(options["fingerprint"])
            self.stdout.write(f"no longer trusted: {options['fingerprint']}")
        else:
            for uploader in TrustedUploader.objects.all():
                self.stdout.write(str(uploader))
