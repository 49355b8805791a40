"""How the arguments of `ubuntu-ci` are read; what is wrong with one is said by argparse."""

from __future__ import annotations

import argparse
import re
from urllib.parse import urlsplit

from ci_utils.source_package.names import valid_package_name

_BUG = re.compile(r"[0-9]{1,12}|https?://[!-~]+", re.ASCII)
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
_SECONDS = re.compile(r"([0-9]{1,9})([smh]?)", re.ASCII)
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600}


def ticket_id(value: str) -> int:
    """The number of a ticket."""
    if not re.fullmatch(r"[1-9][0-9]{0,17}", value):
        raise argparse.ArgumentTypeError(f"{value!r} is not the number of a ticket")
    return int(value)


def url(value: str) -> str:
    """The address of a ticket system, without a slash at its end."""
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise argparse.ArgumentTypeError(f"{value!r} is not an http:// or https:// URL")
    return value.rstrip("/")


def bug(value: str) -> str:
    """A bug's number or URL."""
    if not _BUG.fullmatch(value):
        raise argparse.ArgumentTypeError(f"{value!r} is not a bug's number or URL")
    return value


def email(value: str) -> str:
    """An email address."""
    if not _EMAIL.fullmatch(value):
        raise argparse.ArgumentTypeError(f"{value!r} is not an email address")
    return value


def package(value: str) -> str:
    """The name of a binary package."""
    if not valid_package_name(value):
        raise argparse.ArgumentTypeError(f"{value!r} is not the name of a binary package")
    return value


def seconds(value: str) -> float:
    """A time such as 90, 90s, 15m or 2h, in seconds."""
    match = _SECONDS.fullmatch(value)
    if not match:
        raise argparse.ArgumentTypeError(f"{value!r} is not a time such as 90, 90s, 15m or 2h")
    return float(int(match[1]) * _UNITS[match[2]])
