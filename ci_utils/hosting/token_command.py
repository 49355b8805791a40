"""`uci-engine token`: what it does once Django is set up. Prints what an operator reads."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.utils import timezone

from ci_utils.api.models import ApiToken
from ci_utils.api.tokens import Scope, create_token, revoke_token


def create(name: str, scopes: Iterable[str], lifetime: timedelta | None) -> None:
    """Make a token; it stands alone on the last line."""
    token = create_token(name, [Scope(scope) for scope in scopes], lifetime=lifetime)
    _print(f"Token for {name}; it is shown this once:")
    _print(token)


def revoke(name: str) -> None:
    """Make a token void."""
    revoke_token(name)
    _print(f"The token of {name} is void.")


def show() -> None:
    """One line per token: name, scopes, and until when it holds."""
    for token in ApiToken.objects.order_by("name"):
        _print(f"{token.name}\t{','.join(token.scopes)}\t{_end(token.expires_at)}")


def _end(expires_at: datetime | None) -> str:
    if expires_at is None:
        return "does not expire"
    word = "expired" if expires_at <= timezone.now() else "until"
    return f"{word} {expires_at:%Y-%m-%d %H:%M} UTC"


def _print(line: str) -> None:
    print(line)  # noqa: T201 -- a command line's answer
