"""The settings of `ubuntu-ci`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from ci_utils.config.settings import Settings, setting
from ci_utils.config.values import optional_url, path, url

_TOKEN = re.compile(r"[!-~]*")


def _token(value: str) -> str:
    """What the header of a request can hold; the engine makes no others."""
    if not _TOKEN.fullmatch(value):
        raise ValueError("must be letters, digits and signs of ASCII without spaces")
    return value


def _optional_file(value: str) -> Path | None:
    """An absolute path of a file that is there, or nothing."""
    if not value:
        return None
    read = path(value)
    if not read.is_file():
        raise ValueError("must be a file that is there")
    return read


@dataclass(frozen=True, kw_only=True)
class ClientConfig(Settings):
    """The command line `ubuntu-ci`."""

    url: str = setting("UCI_URL", url, "http://127.0.0.1:8000", "Ticket system that ubuntu-ci talks to.")
    staging_url: str = setting(
        "UCI_STAGING_URL", optional_url, "", "Ticket system that ubuntu-ci -S talks to."
    )
    token: str = setting(
        "UCI_TOKEN",
        _token,
        "",
        "Token for ubuntu-ci; empty: the one that a local engine left for this user.",
        secret=True,
    )
    ca_file: Path | None = setting(
        "UCI_CA_FILE",
        _optional_file,
        "",
        "Certificates (PEM) of the authority that ubuntu-ci trusts; empty: the usual ones.",
    )
