"""`uci-engine`: run the engine, or a part of it, and do what operators do on its machine."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

from ci_utils.config import SERVICES, listen_address
from ci_utils.errors import CIError

EXIT_FAILED = 1
MAX_DAYS = 36500


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; returns its exit status. Errors are one sentence on standard error."""
    arguments, rest = build_parser().parse_known_args(argv)
    if rest and not arguments.takes_rest:
        build_parser().error(f"unrecognized arguments: {' '.join(rest)}")
    if arguments.data_dir:
        os.environ["UCI_DATA_DIR"] = str(arguments.data_dir.absolute())
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ci_utils.hosting.settings")
    command: Callable[[argparse.Namespace, list[str]], int] = arguments.command
    try:
        return command(arguments, rest)
    except CIError as error:
        print(f"uci-engine: {error.message}", file=sys.stderr)  # noqa: T201 -- a command line's answer
        return EXIT_FAILED


def build_parser() -> argparse.ArgumentParser:
    """The commands and options; the reference documentation is checked against it."""
    parser = argparse.ArgumentParser(prog="uci-engine", description=__doc__)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--data-dir", type=Path, metavar="DIR", help="directory of the engine's data (UCI_DATA_DIR)"
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    def add(
        name: str, command: Callable[[argparse.Namespace, list[str]], int], help: str, *, rest: bool = False
    ) -> argparse.ArgumentParser:
        added = commands.add_parser(name, parents=[common], help=help, description=help, add_help=not rest)
        added.set_defaults(command=command, takes_rest=rest)
        return added

    run = add("run", _run, "run all services and workers in this process")
    run.add_argument(
        "--listen", metavar="HOST:PORT", type=_listen, help="where to serve; port 0 takes a free one"
    )
    serve = add("serve", _serve, "serve the services of UCI_SERVICES where they run apart")
    serve.add_argument("--listen", metavar="HOST:PORT", type=_listen, help="where to serve (UCI_LISTEN)")
    worker = add("worker", _worker, "run the workers of one service")
    worker.add_argument("service", choices=SERVICES, metavar="SERVICE", help=", ".join(SERVICES))
    add("migrate", _migrate, "bring the database to this version")
    add("check", _check, "say what is missing on this machine and the command that installs it")
    launchpad = add(
        "launchpad-credentials",
        _launchpad_credentials,
        "get a token from Launchpad, which somebody allows in a browser",
    )
    launchpad.add_argument(
        "--output",
        metavar="FILE",
        default="lp_creds.txt",
        help="where to write the settings with the token; - prints them (default: lp_creds.txt)",
    )
    _add_token_commands(add("token", _token, "make, list and revoke tokens for the API"), common)
    add("uploader", _service_command("uploader"), "say whose signed uploads are trusted", rest=True)
    add("user", _service_command("user"), "say who can log in to the web pages", rest=True)
    add("image", _service_command("image"), "keep the base images", rest=True)
    add("project", _service_command("project"), "load project data", rest=True)
    return parser


def _add_token_commands(parser: argparse.ArgumentParser, common: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    create = actions.add_parser("create", parents=[common], help="make one; it is shown this once")
    create.add_argument("name", metavar="NAME", help="whom the token is for; tickets are theirs by this name")
    create.add_argument(
        "--scope",
        action="append",
        choices=["read", "submit", "operate", "service"],
        help="what it allows (repeatable; default: submit)",
    )
    create.add_argument(
        "--expires", type=_days, metavar="DAYS", help="after how many days it ends (default: never)"
    )
    actions.add_parser("list", parents=[common], help="show names, scopes and when they end")
    revoke = actions.add_parser("revoke", parents=[common], help="make one void at once")
    revoke.add_argument("name", metavar="NAME", help="whose token it is")


def _days(value: str) -> timedelta:
    if not value.isdecimal() or not 0 < int(value) <= MAX_DAYS:
        raise argparse.ArgumentTypeError(f"must be a whole number of days from 1 to {MAX_DAYS}")
    return timedelta(days=int(value))


def _listen(value: str) -> str:
    try:
        listen_address(value)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return value


def _run(arguments: argparse.Namespace, _: list[str]) -> int:
    from ci_utils.hosting import engine  # noqa: PLC0415 -- settings are read on import

    return engine.run(arguments.listen)


def _serve(arguments: argparse.Namespace, _: list[str]) -> int:
    from ci_utils.hosting.serve import serve  # noqa: PLC0415 -- needs gunicorn, which is optional

    return serve(arguments.listen)


def _worker(arguments: argparse.Namespace, _: list[str]) -> int:
    from ci_utils.hosting import engine  # noqa: PLC0415 -- settings are read on import

    os.environ["UCI_SERVICES"] = arguments.service
    return engine.run_workers()


def _migrate(_: argparse.Namespace, __: list[str]) -> int:
    from ci_utils.hosting import database  # noqa: PLC0415 -- settings are read on import

    database.prepare(verbosity=1)
    return 0


def _check(_: argparse.Namespace, __: list[str]) -> int:
    from ci_utils.hosting import machine  # noqa: PLC0415 -- settings are read on import

    return machine.report()


def _launchpad_credentials(arguments: argparse.Namespace, _: list[str]) -> int:
    from ci_utils.hosting import launchpad_command  # noqa: PLC0415 -- needs the library of Launchpad

    launchpad_command.make_credentials(arguments.output)
    return 0


def _token(arguments: argparse.Namespace, _: list[str]) -> int:
    from ci_utils.hosting import database  # noqa: PLC0415 -- settings are read on import

    database.prepare()
    from ci_utils.hosting import token_command  # noqa: PLC0415 -- needs Django to be set up

    with database.usable():
        if arguments.action == "create":
            token_command.create(arguments.name, arguments.scope or ["submit"], arguments.expires)
        elif arguments.action == "revoke":
            token_command.revoke(arguments.name)
        else:
            token_command.show()
    return 0


def _service_command(name: str) -> Callable[[argparse.Namespace, list[str]], int]:
    def command(_: argparse.Namespace, rest: list[str]) -> int:
        from ci_utils.hosting import database  # noqa: PLC0415 -- settings are read on import

        database.prepare()
        from django.core import management  # noqa: PLC0415 -- needs settings

        django_command = management.load_command_class(str(management.get_commands()[name]), name)
        try:
            with database.usable():
                # Told to trace, Django raises what it would print in words of its own.
                django_command.run_from_argv(["uci-engine", name, "--traceback", *rest])
        except management.CommandError as error:
            raise CIError(str(error)) from None
        return 0

    return command


if __name__ == "__main__":
    sys.exit(main())
