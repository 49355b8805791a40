"""The settings of logging in with OpenID Connect."""

from __future__ import annotations

from dataclasses import dataclass

from ci_utils.config.settings import Settings, setting
from ci_utils.config.values import optional_url, text
from ci_utils.errors import ConfigurationError


@dataclass(frozen=True, kw_only=True)
class OpenIDConfig(Settings):
    """Logging in to the web pages with OpenID Connect."""

    issuer: str = setting(
        "UCI_OIDC_ISSUER",
        optional_url,
        "",
        "Address of the provider that people log in with; empty: only passwords of the engine.",
    )
    client_id: str = setting("UCI_OIDC_CLIENT_ID", text, "", "Name of the engine at the provider.")
    client_secret: str = setting(
        "UCI_OIDC_CLIENT_SECRET", text, "", "Secret of the engine at the provider.", secret=True
    )
    operators: str = setting(
        "UCI_OIDC_OPERATORS",
        text,
        "",
        "E-mail addresses, separated by commas, of those whom the provider names that are operators.",
    )

    def require_complete(self) -> None:
        """Raise `ConfigurationError` if an issuer is named without the client that it knows."""
        if self.issuer and not (self.client_id and self.client_secret):
            raise ConfigurationError(
                "UCI_OIDC_ISSUER needs UCI_OIDC_CLIENT_ID and UCI_OIDC_CLIENT_SECRET too"
            )

    @property
    def operator_addresses(self) -> frozenset[str]:
        """The addresses of operators, in lower case."""
        return frozenset(name.strip().lower() for name in self.operators.split(",") if name.strip())
