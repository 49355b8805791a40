"""`uci-engine user`: who can log in to the web pages."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ci_utils.errors import CIError
from web_ui.domain.users import add_user, remove_user, set_password, users


class Command(BaseCommand):
    help = "Add, list and remove the people who can log in to the web pages."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
        add = actions.add_parser("add", help="let somebody log in; asks for the password")
        password = actions.add_parser("password", help="set another password")
        for command in (add, password):
            command.add_argument("name", metavar="NAME", help="who it is; a token of this name sees the same")
            command.add_argument(
                "--password-file", type=Path, metavar="FILE", help="take the password from a file"
            )
        add.add_argument("--operator", action="store_true", help="may do what operators do")
        actions.add_parser("list", help="show who can log in")
        remove = actions.add_parser("remove", help="let somebody log in no longer")
        remove.add_argument("name", metavar="NAME", help="who it is")

    def handle(self, *_: Any, **options: Any) -> None:
        try:
            self._act(options)
        except CIError as error:
            raise CommandError(error.message) from None
        except OSError as error:
            raise CommandError(f"{options['password_file']} cannot be read: {error.strerror}") from None

    def _act(self, options: dict[str, Any]) -> None:
        action, name = options["action"], options.get("name", "")
        if action == "add":
            add_user(name, _password(options["password_file"]), operator=options["operator"])
            self.stdout.write(f"{name} can log in")
        elif action == "password":
            set_password(name, _password(options["password_file"]))
            self.stdout.write(f"{name} has another password")
        elif action == "remove":
            remove_user(name)
            self.stdout.write(f"{name} can log in no longer")
        else:
            for user, operator, by_provider in users():
                how = "OpenID Connect" if by_provider else "password"
                self.stdout.write(f"{user}\t{'operator' if operator else 'user'}\t{how}")


def _password(file: Path | None) -> str:
    if file is not None:
        return file.read_text().rstrip("\n")
    password = getpass.getpass("Password: ")
    if getpass.getpass("Again: ") != password:
        raise CommandError("the two passwords are not the same")
    return password
