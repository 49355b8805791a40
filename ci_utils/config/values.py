"""How the text of a setting is read; what is wrong with one is a `ValueError` that says what it must be."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

SIZE_UNITS = {"": 0, "K": 10, "M": 20, "G": 30, "T": 40}


def text(value: str) -> str:
    """Any text."""
    return value


def whole_number(value: str) -> int:
    """A whole number above 0."""
    number = int(value)
    if number < 1:
        raise ValueError("must be a whole number above 0")
    return number


def optional_whole_number(value: str) -> int:
    """A whole number above 0, or nothing, which is 0."""
    return whole_number(value) if value else 0


def size(value: str) -> int:
    """Bytes; nothing is 0, which leaves the choice to the machine."""
    if not value:
        return 0
    number, unit = value[:-1], value[-1].upper()
    if unit.isdigit():
        number, unit = value, ""
    if not (number.isascii() and number.isdigit()) or unit not in SIZE_UNITS or not int(number):
        raise ValueError("must be a number of bytes above 0, or one with K, M, G or T, for example 8G")
    return int(number) << SIZE_UNITS[unit]


def path(value: str) -> Path:
    """An absolute path."""
    read = Path(value)
    if not read.is_absolute():
        raise ValueError("must be an absolute path")
    return read


def url(value: str) -> str:
    """An http:// or https:// URL, without a slash at its end."""
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise ValueError("must be an http:// or https:// URL")
    return value.rstrip("/")


def optional_url(value: str) -> str:
    """A URL, or nothing."""
    return url(value) if value else ""


def listen_address(value: str) -> tuple[str, int]:
    """Split HOST:PORT; port 0 asks for any free port."""
    host, separator, port = value.rpartition(":")
    if not separator or not host or not port.isdigit() or int(port) > 65535:
        raise ValueError("must be HOST:PORT, for example 127.0.0.1:8000")
    return host.strip("[]"), int(port)


def choice(*allowed: str) -> Callable[[str], str]:
    """One of these words."""

    def read(value: str) -> str:
        if value not in allowed:
            raise ValueError(f"must be one of {', '.join(allowed)}")
        return value

    return read
