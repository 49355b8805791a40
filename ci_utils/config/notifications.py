"""The settings of notifications."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from ci_utils.config.settings import Settings, setting
from ci_utils.config.values import choice, text, url, whole_number
from ci_utils.errors import ConfigurationError


def _urls(value: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(url(word) for word in value.replace(",", " ").split()))


@dataclass(frozen=True, kw_only=True)
class SMTPConfig(Settings):
    """Mail to the owner when a ticket ends."""

    host: str = setting(
        "UCI_SMTP_HOST", text, "", "Mail server that takes the engine's mail; empty: no mail is sent."
    )
    port: int = setting("UCI_SMTP_PORT", whole_number, "25", "Port of the mail server.")
    security: str = setting(
        "UCI_SMTP_SECURITY",
        choice("none", "starttls", "tls"),
        "none",
        "How the connection is protected: none, starttls or tls (from its beginning).",
    )
    user: str = setting("UCI_SMTP_USER", text, "", "User name for the mail server; empty: no login.")
    password: str = setting("UCI_SMTP_PASSWORD", text, "", "Password for the mail server.", secret=True)
    sender: str = setting("UCI_SMTP_FROM", text, "", "Email address that the mail comes from.")

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Read and check the group: a server needs a sender, and a password needs protection."""
        config = super().from_environment(environ)
        if config.host and "@" not in config.sender:
            raise ConfigurationError(
                "UCI_SMTP_FROM: give the email address that the engine's mail comes from"
            )
        if config.user and config.security == "none" and config.host not in ("localhost", "127.0.0.1", "::1"):
            raise ConfigurationError(
                "UCI_SMTP_SECURITY: set it to starttls or tls; a password is not sent in the clear"
            )
        return config


@dataclass(frozen=True, kw_only=True)
class WebhookConfig(Settings):
    """Webhooks that are told when a ticket ends."""

    urls: tuple[str, ...] = setting(
        "UCI_WEBHOOK_URLS", _urls, "", "URLs that get a POST when a ticket ends, separated by spaces."
    )
    secret: str = setting(
        "UCI_WEBHOOK_SECRET",
        text,
        "",
        "Key of the HMAC-SHA256 that signs what webhooks get.",
        secret=True,
    )

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Read and check the group: what is sent is always signed."""
        config = super().from_environment(environ)
        if config.urls and not config.secret:
            raise ConfigurationError("UCI_WEBHOOK_SECRET: set the key that signs what UCI_WEBHOOK_URLS get")
        return config
