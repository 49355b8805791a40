"""Tokens of Launchpad, and the signatures of requests that carry them (OAuth 1.0, PLAINTEXT)."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, unquote

_PARAMETER = re.compile(r'(\w+)="([^"]*)"')


class Unauthorized(Exception):
    """The text of the answer with status 401."""


@dataclass
class Token:
    """A request token until somebody authorized it, then perhaps an access token."""

    consumer: str
    secret: str
    user: str = ""
    declined: bool = False


@dataclass
class Tokens:
    """Request and access tokens by their keys."""

    access: dict[str, Token] = field(default_factory=dict)
    requests: dict[str, Token] = field(default_factory=dict)
    nonces: set[tuple[str, str]] = field(default_factory=set)

    def issue(self, consumer: str, user: str) -> tuple[str, str]:
        """An access token and its secret, with signs in it that must be quoted."""
        key, token = secrets.token_hex(8), Token(consumer, f"{secrets.token_hex(8)}&/+", user)
        self.access[key] = token
        return key, token.secret

    def request(self, consumer: str) -> tuple[str, str]:
        """A request token and its secret."""
        key, token = secrets.token_hex(8), Token(consumer, secrets.token_hex(8))
        self.requests[key] = token
        return key, token.secret

    def exchange(self, form: Mapping[str, str]) -> tuple[str, str]:
        """The access token for a request token that was authorized; `Unauthorized` until it is."""
        token = self.requests.get(form["oauth_token"])
        if token is None or form["oauth_signature"] != f"&{token.secret}":
            raise Unauthorized("Invalid OAuth signature.")
        if not token.user:
            raise Unauthorized("Request token has not yet been reviewed. Try again later.")
        del self.requests[form["oauth_token"]]
        return self.issue(token.consumer, token.user)

    def user_of(self, authorization: str) -> str:
        """Who signed a request; `Unauthorized` if nobody did whom Launchpad knows."""
        given = {name: unquote(value) for name, value in _PARAMETER.findall(authorization)}
        token = self.access.get(given.get("oauth_token", ""))
        if token is None:
            raise Unauthorized(f"Unknown access token ({given.get('oauth_token', '')}).")
        if token.consumer != given.get("oauth_consumer_key"):
            raise Unauthorized(f"Unknown consumer ({given.get('oauth_consumer_key')}).")
        nonce = (given.get("oauth_nonce", ""), given.get("oauth_timestamp", ""))
        if nonce in self.nonces or not all(nonce):
            raise Unauthorized("Invalid nonce/timestamp.")
        self.nonces.add(nonce)
        expected = f"&{quote(token.secret, safe='')}"
        if given.get("oauth_signature_method") != "PLAINTEXT" or given["oauth_signature"] != expected:
            raise Unauthorized("Invalid signature.")
        return token.user
