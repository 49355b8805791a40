"""Writes the pages of the reference that the code itself knows best: settings, commands, REST.

Run by Sphinx through `conf.py`; the tests look whether anything is left out.
"""

from __future__ import annotations

import argparse
import itertools
import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

STANDARD_ROUTES = {"api_dispatch_list", "api_dispatch_detail", "api_get_schema"}
TITLES = {
    "ci_utils": "Every service",
    "ticket_system": "Ticket system",
    "lander": "Lander",
    "ppa_assigner": "PPA assigner",
    "branch_source_builder": "Branch/source builder",
    "image_builder": "Image builder",
    "test_runner": "Test runner",
}
#: Options that Django gives every command of its own.
DJANGO_OPTIONS = {"version", "verbosity", "settings", "pythonpath", "traceback", "no_color", "force_color"}
DJANGO_OPTIONS |= {"skip_checks", "help"}
SERVICE_COMMANDS = ("uploader", "user", "image", "project")


def write_all(directory: Path) -> None:
    """Write all generated pages into `directory`."""
    directory.mkdir(exist_ok=True)
    set_django_up()
    for name, page in (("settings", settings_page), ("commands", commands_page), ("rest", rest_page)):
        (directory / f"{name}.md").write_text(page())


def set_django_up() -> None:
    """Load all services, on a data directory that nobody else has."""
    import django

    if "DJANGO_SETTINGS_MODULE" not in os.environ:
        os.environ["UCI_DATA_DIR"] = tempfile.mkdtemp(prefix="uci-docs-")
        os.environ["DJANGO_SETTINGS_MODULE"] = "ci_utils.hosting.settings"
    django.setup()


def settings_page() -> str:
    """All settings of the engine and of `ubuntu-ci`."""
    from ci_utils.config import describe_settings

    tables: list[str] = []
    for group, settings in itertools.groupby(describe_settings(), lambda s: s.group):
        rows = [
            (
                f"`{s.name}`",
                f"`{s.default}`" if s.default else "",
                s.help + (" *Secret.*" if s.secret else ""),
            )
            for s in settings
        ]
        tables += [f"\n## {group.removesuffix('.')}\n", *_table(("setting", "default", "meaning"), rows)]
    return "\n".join(
        [
            "# Settings\n",
            "All settings come from the environment. A value that cannot be right, and a `UCI_` variable",
            "that is no setting, are named in an error before anything starts. A secret can also come from",
            "a file that `NAME_FILE` names.\n",
            *tables,
        ]
    )


def commands_page() -> str:
    """All commands and options of both command lines."""
    from ci_utils.hosting.main import build_parser as engine_parser
    from cli.exit_codes import Exit
    from cli.parser import build_parser as client_parser

    exits = [(str(code.value), code.meaning) for code in Exit]
    engine_exits = [("0", "done"), ("1", "it failed, and one sentence says why"), ("2", "wrong options")]
    lines = ["# Commands\n", "## ubuntu-ci\n", *_command("ubuntu-ci", client_parser(), 3)]
    lines += ["### Exit status of ubuntu-ci\n", *_table(("status", "meaning"), exits)]
    lines += ["## uci-engine\n", *_command("uci-engine", engine_parser(), 3)]
    for name in SERVICE_COMMANDS:
        lines += [f"### uci-engine {name}\n", *_command(f"uci-engine {name}", service_parser(name), 4)]
    lines += ["### Exit status of uci-engine\n", *_table(("status", "meaning"), engine_exits)]
    return "\n".join(lines)


def service_parser(name: str) -> argparse.ArgumentParser:
    """The parser of a command that a service brings to `uci-engine`."""
    from django.core.management import get_commands, load_command_class

    return load_command_class(str(get_commands()[name]), name).create_parser("uci-engine", name)


def _command(name: str, parser: argparse.ArgumentParser, level: int) -> Iterator[str]:
    yield f"{parser.description}\n"
    rows = [(_spelling(action), action.help or "") for action in options_of(parser)]
    if rows:
        yield from _table(("option", "meaning"), rows)
    for command, below in commands_of(parser).items():
        if f"{name} {command}" in [f"uci-engine {n}" for n in SERVICE_COMMANDS]:
            continue  # its own parser says more
        yield f"{'#' * level} {name} {command}\n"
        if not below.description:
            below.description = _help_of(parser, command)
        yield from _command(f"{name} {command}", below, min(level + 1, 6))


def options_of(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """A parser's own options and arguments, without its commands and what every command has."""
    from django.core.management.base import CommandParser

    hidden = DJANGO_OPTIONS if isinstance(parser, CommandParser) else {"help"}
    return [
        action
        for action in parser._actions
        if not isinstance(action, argparse._SubParsersAction) and action.dest not in hidden
    ]


def commands_of(parser: argparse.ArgumentParser) -> Mapping[str, argparse.ArgumentParser]:
    """A parser's commands by name."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}


def _help_of(parser: argparse.ArgumentParser, command: str) -> str:
    for action in parser._actions:
        for choice in getattr(action, "_choices_actions", ()):
            if choice.dest.split()[0] == command:
                return str(choice.help)
    return ""


def _spelling(action: argparse.Action) -> str:
    names = ", ".join(f"`{name}`" for name in action.option_strings)
    choices = "|".join(map(str, action.choices or ()))
    value = action.metavar or choices or (action.dest.upper() if action.nargs != 0 else "")
    return f"{names} {value}".strip() if names else f"`{value}`"


def rest_page() -> str:
    """All resources of all services."""
    lines = [
        "# REST resources\n",
        "Every service answers under `/api/v1/`. Which resource belongs to which service only matters",
        "where they run apart. How requests, answers, errors, tokens and paging work is said in",
        "[](../rest.md).\n",
    ]
    service = ""
    for name, resource in resources().items():
        if (belongs_to := type(resource).__module__.partition(".")[0]) != service:
            service = belongs_to
            lines.append(f"## {TITLES[service]}\n")
        lines += _resource(name, resource)
    return "\n".join(lines)


def resources() -> dict[str, Any]:
    """The API's own registry: resources by name."""
    from ci_utils.hosting.rest import api

    return dict(api._registry)


def addresses(name: str, resource: Any) -> list[tuple[str, str]]:
    """(methods, address) of everything that a resource answers."""
    meta = resource._meta
    routes = {route.name: route for route in resource.urls}
    found = []
    if "api_dispatch_list" in routes and meta.list_allowed_methods:
        found.append((" ".join(meta.list_allowed_methods).upper(), f"/api/v1/{name}/"))
    if "api_dispatch_detail" in routes and meta.detail_allowed_methods:
        found.append((" ".join(meta.detail_allowed_methods).upper(), f"/api/v1/{name}/ID/"))
    special = [route for key, route in routes.items() if key not in STANDARD_ROUTES]
    found += [("", f"/api/v1/{_readable(route.pattern.regex.pattern, name)}") for route in special]
    if "api_get_schema" in routes:
        found.append(("GET", f"/api/v1/{name}/schema/"))
    return found


def _readable(pattern: str, name: str) -> str:
    text = re.sub(r"\(\?P<resource_name>[^)]*\)", name, pattern.strip("^$"))
    text = re.sub(r"\(\?P<pk>(?:[^()]|\([^()]*\))*\)", "ID", text)
    return text.replace("/?", "/")


def _resource(name: str, resource: Any) -> Iterator[str]:
    meta = resource._meta
    yield f"### {name}\n"
    yield f"{_dedent(type(resource).__doc__ or '')}\n"
    yield from _table(("method", "address"), [(m, f"`{a}`") for m, a in addresses(name, resource)])
    for action in ("create", "change"):
        scopes = getattr(meta, f"{action}_scopes", ())
        schema = getattr(meta, f"{action}_schema", None)
        if schema is None:
            continue
        what = "POST" if action == "create" else "PATCH"
        allowed = f" (a token for {' or '.join(scopes)})" if scopes else ""
        yield f"**{what}** takes{allowed}:\n"
        yield from _table(("parameter", "", "value"), _parameters(schema))
    shown = [(f"`{n}`", f.dehydrated_type) for n, f in resource.fields.items() if n != "resource_uri"]
    if shown:
        yield "Answers have these fields:\n"
        yield from _table(("field", "type"), shown)
    if "get" in meta.list_allowed_methods and (filters := getattr(meta, "filtering", None)):
        rows = [(f"`{n}`", ", ".join(f"`{lookup}`" for lookup in found)) for n, found in filters.items()]
        yield "Lists can be filtered:\n"
        yield from _table(("field", "lookups"), rows)


def _parameters(schema: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str, str]]:
    if schema.get("type") == "array":
        return _parameters(schema["items"], f"{prefix}[].") or [("*list*", "", _value(schema["items"]))]
    rows = []
    for name, value in schema.get("properties", {}).items():
        required = "required" if name in schema.get("required", ()) else ""
        rows.append((f"`{prefix}{name}`", required, _value(value)))
        inner = value.get("items", value)
        if inner.get("properties"):
            rows += _parameters(inner, f"{prefix}{name}{'[]' if 'items' in value else ''}.")
    return rows


def _value(schema: Mapping[str, Any]) -> str:
    """One JSON Schema in words."""
    if "const" in schema:
        return f"`{schema['const']!r}`"
    if "enum" in schema:
        return "one of " + ", ".join(f"`{value!r}`" for value in schema["enum"])
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_value(part) for part in schema["anyOf"]))
    if schema.get("type") == "array":
        return f"list of {_value(schema['items'])}"
    if schema.get("type") == "object":
        return "object"
    pattern = f" matching `{schema['pattern']}`" if "pattern" in schema else ""
    return f"{schema.get('type', 'anything')}{pattern}"


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> list[str]:
    head = list(head)
    cells = [[" ".join(str(cell).split()).replace("|", "\\|") for cell in row] for row in rows]
    return [
        f"| {' | '.join(head)} |",
        f"|{'---|' * len(head)}",
        *(f"| {' | '.join(row)} |" for row in cells),
        "",
    ]


def _dedent(text: str) -> str:
    return "\n".join(line.strip() for line in text.strip().splitlines())
