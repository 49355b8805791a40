"""The manual page of `ubuntu-ci`: as the parser is, and as man wants it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"

sys.path.append(str(DOCS))
import man_page  # type: ignore[import-not-found]  # noqa: E402 -- it lies beside conf.py


def test_the_page_is_what_the_parser_says() -> None:
    assert man_page.PAGE.read_text() == man_page.page(), "run: make man"


@pytest.mark.parametrize(
    "lint", [("mandoc", "-T", "lint", "-W", "warning"), ("groff", "-ww", "-man", "-Tutf8", "-z")]
)
def test_man_finds_nothing_wrong(lint: tuple[str, ...]) -> None:
    if shutil.which(lint[0]) is None:
        pytest.skip(f"{lint[0]} is not installed")
    done = subprocess.run([*lint, man_page.PAGE], capture_output=True, text=True, check=False)
    assert done.stdout + done.stderr == ""


def test_every_command_setting_and_exit_status_is_on_the_page() -> None:
    from cli.exit_codes import Exit
    from cli.parser import build_parser

    page = man_page.page()
    for name in man_page._commands(build_parser()):
        assert f"\n.SS {name}" in page
    for setting in ("UCI_URL", "UCI_STAGING_URL", "UCI_TOKEN", "UCI_TOKEN_FILE", "NO_COLOR"):
        assert f"\n.B {setting}\n" in page
    for code in Exit:
        assert f"\n.B {code.value}\n" in page


def test_text_that_troff_would_take_for_a_request_is_text() -> None:
    assert man_page._plain(r".so /etc/passwd \fB-x") == r"\&.so /etc/passwd \efB\-x"
