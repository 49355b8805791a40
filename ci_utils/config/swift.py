"""The settings of files in Swift."""

from __future__ import annotations

from dataclasses import dataclass

from ci_utils.config.settings import Settings, setting
from ci_utils.config.values import choice, optional_url, size, text


@dataclass(frozen=True, kw_only=True)
class SwiftConfig(Settings):
    """Files in Swift (UCI_DATA_STORE=swift), in the cloud of the settings with OS_ unless ST_AUTH is set."""

    auth_url: str = setting(
        "ST_AUTH",
        optional_url,
        "",
        "Address that gives tokens by version 1 of Swift's authentication, with /auth/v1.0 at its end; "
        "empty: Keystone does.",
    )
    user: str = setting("ST_USER", text, "", "The engine's user there, as PROJECT:USER.")
    key: str = setting("ST_KEY", text, "", "Key of ST_USER.", secret=True)
    signing_key: str = setting(
        "CI_TEMPURL_SIGNING_KEY",
        text,
        "",
        "Key that signs URLs of files, the same for all services; a new one makes older URLs void.",
        secret=True,
    )
    digest: str = setting(
        "UCI_SWIFT_DIGEST",
        choice("sha256", "sha512"),
        "sha256",
        "How URLs of files are signed; one that this Swift allows.",
    )
    segment_bytes: int = setting(
        "UCI_SWIFT_SEGMENT",
        size,
        "1G",
        "Larger files are stored in segments of this size; no more than this Swift takes at once.",
    )
