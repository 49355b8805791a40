"""Nothing that users can set, call or run is left out of the documentation."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.urls import URLPattern, URLResolver, get_resolver

from ci_utils.commands import DEBIAN_PACKAGES

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"

sys.path.append(str(DOCS))
import reference_pages  # type: ignore[import-not-found]  # noqa: E402 -- it lies beside conf.py


def test_every_setting_is_on_the_page_with_a_sentence_of_help() -> None:
    from ci_utils.config import describe_settings

    page = reference_pages.settings_page()
    for setting in describe_settings():
        assert f"`{setting.name}`" in page
        assert setting.help.endswith("."), f"{setting.name}: its help is no sentence"


def all_parsers() -> Iterator[tuple[str, argparse.ArgumentParser]]:
    from ci_utils.hosting.main import build_parser as engine_parser
    from cli.parser import build_parser as client_parser

    yield from _below("ubuntu-ci", client_parser())
    yield from _below("uci-engine", engine_parser())
    for name in reference_pages.SERVICE_COMMANDS:
        yield from _below(f"uci-engine {name}", reference_pages.service_parser(name))


def _below(name: str, parser: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    yield name, parser
    for command, below in reference_pages.commands_of(parser).items():
        yield from _below(f"{name} {command}", below)


def test_every_command_has_its_heading() -> None:
    headings = {line.lstrip("# ") for line in reference_pages.commands_page().splitlines() if line[:1] == "#"}
    assert {name for name, _ in all_parsers()} - headings == set()


def test_every_option_is_on_the_page_and_says_what_it_is_for() -> None:
    page = reference_pages.commands_page()
    for name, parser in all_parsers():
        for action in reference_pages.options_of(parser):
            for spelling in action.option_strings:
                assert f"`{spelling}`" in page, f"{name} {spelling}"
            assert action.help, f"{name} {action.option_strings or action.metavar or action.dest}: no help"


def test_every_command_that_a_service_brings_is_documented() -> None:
    brought = {path.stem for path in ROOT.glob("*/management/commands/[a-z]*.py")}
    assert brought == set(reference_pages.SERVICE_COMMANDS)


def test_every_exit_status_is_on_the_page() -> None:
    from cli.exit_codes import Exit

    page = reference_pages.commands_page()
    assert [code for code in Exit if f"| {code.value} | {code.meaning} |" not in page] == []


def test_every_resource_says_what_it_is() -> None:
    for name, resource in reference_pages.resources().items():
        assert type(resource).__dict__.get("__doc__"), f"{name}: its class has no docstring"


def test_every_route_is_on_the_page() -> None:
    page = reference_pages.rest_page()
    for name, resource in reference_pages.resources().items():
        assert f"### {name}\n" in page
        for _, address in reference_pages.addresses(name, resource):
            assert f"`{address}`" in page


def test_every_address_that_is_not_the_common_kind_is_explained() -> None:
    explained = (DOCS / "reference" / "rest.md").read_text()
    for name, resource in reference_pages.resources().items():
        for methods, address in reference_pages.addresses(name, resource):
            if not methods:
                assert address.removeprefix("/api/v1/") in explained, address


def test_every_route_outside_the_api_is_explained() -> None:
    explained = (DOCS / "reference" / "rest.md").read_text()
    for pattern in get_resolver().url_patterns:
        assert isinstance(pattern, URLPattern | URLResolver)
        if getattr(pattern, "namespace", None) == "web_ui":
            continue  # pages, for people and not for programs
        first = str(pattern.pattern).partition("/")[0]
        assert f"/{first}/" in explained, f"the route {pattern.pattern} is not documented"


def test_every_queue_and_repeated_field_of_messages_is_explained() -> None:
    from ci_utils.hosting.services import workers

    explained = (DOCS / "reference" / "messages.md").read_text()
    for _, room in workers():
        for work in room.WORK:
            assert f"uci.{work.queue}`" in explained
            assert [field for field in work.message_fields if f"`{field}`" not in explained] == []


def test_every_step_and_status_of_tickets_is_explained() -> None:
    from ticket_system.models import Status, WorkflowStep

    explained = (DOCS / "reference" / "rest.md").read_text()
    for step in WorkflowStep:
        assert f"| `{step.value}` | {step.label} |" in explained
    assert [s for s in Status if f"| `{s.value}` | {s.label.lower()} |" not in explained] == []


def test_every_debian_package_has_its_reason() -> None:
    explained = (DOCS / "explanation" / "dependencies.md").read_text()
    for line in (ROOT / "debian-packages.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            assert line in explained, f"{line}: say in dependencies.md what it is for"


def test_every_program_that_the_engine_looks_for_is_installed_by_its_set_up() -> None:
    installed = {"apt", "dpkg", *(ROOT / "debian-packages.txt").read_text().splitlines()}
    assert set(DEBIAN_PACKAGES.values()) <= installed


@pytest.mark.slow
def test_the_documentation_builds_without_a_warning(tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html"]
    built = subprocess.run(
        [*argv, "-d", tmp_path / "doctrees", DOCS, tmp_path / "html"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    assert (tmp_path / "html" / "index.html").exists()


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 120
