"""Writes the manual page of `ubuntu-ci` from its parser: `python docs/man_page.py`.

The page is kept in `docs/man/`, from where installing puts it into share/man;
the tests look whether it is what this makes.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from ci_utils.config import ClientConfig, describe_settings
from cli.completion import SHELLS
from cli.exit_codes import Exit
from cli.parser import build_parser

PAGE = Path(__file__).parent / "man" / "ubuntu-ci.1"
#: When what the page says of itself (not of options) was written.
DATE = "2026-11-23"
DESCRIPTION = (
    "A ticket is one or more signed Debian source packages, and the binary packages that they add to or "
    "remove from an image. The engine builds the sources, makes an image with the results, boots it, runs "
    "the packages' tests on it, and publishes the packages if all of that went well. This command makes "
    "tickets, follows them and fetches what they leave behind. Results go to standard output, all else to "
    f"standard error; on a terminal what moves is drawn. Completions exist for {', '.join(SHELLS)}."
)
FILES = {
    "~/.config/ubuntu-ci/credentials.json": "Tokens by engine; a local engine leaves its own there.",
}
EXAMPLES = {
    "Send one upload and follow it": "ubuntu-ci create_ticket -s hello_2.10-4_source.changes --follow",
    "Wait for its end in a script": "ubuntu-ci wait 12 --timeout 2h && ubuntu-ci get_image 12",
    "See why it failed": "ubuntu-ci logs 12 build",
    "Complete commands in bash": "source <(ubuntu-ci completion bash)",
}


def page() -> str:
    """The manual page as troff source."""
    parser = build_parser()
    sections = {
        "NAME": [_plain("ubuntu-ci - create tickets for the Ubuntu CI Engine and follow them")],
        "SYNOPSIS": [".B ubuntu\\-ci", "[options]", ".I COMMAND", "[options]"],
        "DESCRIPTION": [_plain(DESCRIPTION)],
        "OPTIONS": ["These can stand before and behind the command.", *_options(_shown(parser))],
        "COMMANDS": _command_lines(parser),
        "ENVIRONMENT": [*_settings(), *_entry("NO_COLOR", "If it is set, nothing is coloured.")],
        "EXIT STATUS": [line for code in Exit for line in _entry(str(code.value), f"{code.meaning}.")],
        "FILES": [line for name, meaning in FILES.items() for line in _entry(name, meaning)],
        "EXAMPLES": list(_examples()),
        "SEE ALSO": [".BR dpkg\\-buildpackage (1),", ".BR debsign (1),", ".BR dput (1)"],
    }
    lines = [f'.TH UBUNTU\\-CI 1 "{DATE}" "Ubuntu CI Engine" "User Commands"']
    for title, section in sections.items():
        lines += [f".SH {title}", *section]
    return "\n".join(lines) + "\n"


def _command_lines(parser: argparse.ArgumentParser) -> Iterator[str]:
    general = {spelling for action in _shown(parser) for spelling in action.option_strings}
    for name, command in _commands(parser).items():
        arguments = [action for action in _shown(command) if not general & set(action.option_strings)]
        yield f".SS {_plain(f'{name} {_operands(arguments)}'.strip())}"
        yield _plain(str(command.description))
        yield from _options(arguments)


def _examples() -> Iterator[str]:
    for number, (meaning, command) in enumerate(EXAMPLES.items()):
        yield from ([".PP"] if number else [])
        yield from (_plain(f"{meaning}:"), ".PP", ".RS 4", ".nf", _plain(command), ".fi", ".RE")


def _shown(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    hidden = (argparse._SubParsersAction, argparse._HelpAction)
    return [action for action in parser._actions if not isinstance(action, hidden)]


def _commands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    found = next(action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    return dict(found.choices)


def _operands(actions: list[argparse.Action]) -> str:
    names = ((a, str(a.metavar or a.dest)) for a in actions if not a.option_strings)
    return " ".join(f"[{name}]" if action.nargs == "?" else name for action, name in names)


def _options(actions: list[argparse.Action]) -> Iterator[str]:
    for action in actions:
        value = str(action.metavar or "|".join(map(str, action.choices or ())) or action.dest.upper())
        value = "" if action.nargs == 0 else value
        name = ", ".join(action.option_strings)
        yield from _entry(f"{name} {value}".strip(), f"{str(action.help).rstrip('.')}.")


def _settings() -> Iterator[str]:
    group = (ClientConfig.__doc__ or "").partition("\n")[0]
    for setting in describe_settings():
        if setting.group == group:
            default = f" Default: {setting.default}" if setting.default else ""
            yield from _entry(setting.name, f"{setting.help}{default}")
            if setting.secret:
                yield from _entry(f"{setting.name}_FILE", f"A file that holds {setting.name}.")


def _entry(term: str, text: str) -> list[str]:
    return [".TP", f".B {_plain(term)}", _plain(text)]


def _plain(text: str) -> str:
    """Text that troff takes as it stands."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{escaped}" if escaped[:1] in (".", "'") else escaped


if __name__ == "__main__":
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page())
