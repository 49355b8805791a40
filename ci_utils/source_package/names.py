"""The syntax of names and versions, as Debian Policy has it (5.6.1, 5.6.7, 5.6.12)."""

from __future__ import annotations

import re

MAX_LENGTH = 200

_PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]+", re.ASCII)
_VERSION = re.compile(r"(?:[0-9]{1,9}:)?[0-9][A-Za-z0-9.+~-]*", re.ASCII)
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+~_-]*", re.ASCII)
_DISTRIBUTION = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+~-]*", re.ASCII)


def valid_package_name(name: str) -> bool:
    """Whether this can name a source or binary package."""
    return _matches(_PACKAGE, name)


def valid_version(version: str) -> bool:
    """Whether this is a version: `[epoch:]upstream[-revision]`, no part of it empty."""
    return _matches(_VERSION, version) and not version.endswith("-")


def valid_file_name(name: str) -> bool:
    """Whether this is a plain file name in the characters that Debian's files use."""
    return _matches(_FILE, name)


def valid_distribution(name: str) -> bool:
    """Whether this is one suite, with or without its pocket."""
    return _matches(_DISTRIBUTION, name)


def without_epoch(version: str) -> str:
    """The version as file names have it."""
    return version.partition(":")[2] or version


def _matches(pattern: re.Pattern[str], text: str) -> bool:
    return len(text) <= MAX_LENGTH and pattern.fullmatch(text) is not None
