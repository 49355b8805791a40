"""Inputs that are small to send and large to read: bounded by the tests' own time limit."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest

from ci_utils.apt.resolver import _REMOVED, _URI
from ci_utils.archive.built_packages import split_controls
from ci_utils.archive.source_stanza import source_row
from ci_utils.data_store.signed_urls import checked_filename
from ci_utils.disk_image.manifest import parse_status
from ci_utils.disk_image.packages import complaint
from ci_utils.errors import CIError
from ci_utils.source_package.changes import read_changes
from ci_utils.source_package.control import MAX_BYTES
from ci_utils.source_package.dsc import parse_dsc
from test_runner.domain.dep8 import read_tests
from test_runner.domain.results import read_summary

# Ten seconds at most where nothing else runs; without a bound it would be hours.
pytestmark = pytest.mark.timeout(300)

HEADS = ["Files:\n", "Checksums-Sha256:\n", "Binary: ", "Build-Depends: ", "X: a"]
UNITS = [
    *(
        f" {'0' * 32} 1 devel optional hello_{{n}}\n",
        f" {'0' * 64} 1 hello_{{n}}\n",
        " .\n",
        " \u2028\n",
        "a, ",
    ),
    *(
        "a (>= 1) | ",
        "(",
        "[",
        "<!a> ",
        "a [!b ",
        " a\n",
        "\t\t\n",
        "Field{n}: x\n",
        "-----BEGIN PGP\n",
        "\xa0",
        "0:",
    ),
]


def _texts() -> list[str]:
    units = ["".join(unit.replace("{n}", str(n)) for n in range(10_000)) for unit in UNITS]
    return [f"Source: hello\nVersion: 1.0\n{head}{text}" for head in HEADS for text in units]


def _index(content: bytes) -> None:
    source_row("ppa:local/ci", parse_dsc(content, "hello_1.0.dsc"), content)


def _declare(content: bytes) -> None:
    text = content.decode()
    read_tests("Tests: t\n", text, architecture="amd64")
    read_tests(
        text.replace("Build-Depends", "Depends").replace("Source", "Tests"), text, architecture="amd64"
    )


def _apt(content: bytes) -> None:
    text = content.decode()
    complaint(text[-4000:])
    _URI.findall(text)
    _REMOVED.search(text)


READERS: list[Callable[[bytes], object]] = [
    _index,
    _declare,
    _apt,
    lambda content: read_changes(content, "hello_1.0_source.changes"),
    lambda content: parse_status(content.decode()),
    lambda content: read_summary(content.decode()),
    lambda content: checked_filename(content.decode()),
    split_controls,
]


@pytest.mark.parametrize("reader", READERS)
def test_lists_of_ten_thousand_entries_are_read_or_refused(reader):
    for text in _texts():
        try:
            reader(text.encode()[: 2 * MAX_BYTES])
        except CIError as error:
            message = error.message
            assert len(message) < 1000


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("space", [" ", "\t", "\xa0", " a"])
def test_a_megabyte_of_spaces_takes_no_longer_than_other_text(reader, space):
    with suppress(CIError):
        reader(f"Source: hello\nVersion: 1.0\nX: a{space * (MAX_BYTES // 3)}b\n".encode())
