"""Tokens and what they allow."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from django.conf import settings
from django.db import IntegrityError, transaction

from ci_utils.api.models import ApiToken
from ci_utils.errors import Conflict, Forbidden, Unauthenticated

TOKEN_BYTES = 32


class Scope(StrEnum):
    """What a token allows; `OPERATE` includes `SUBMIT`."""

    SUBMIT = "submit"
    OPERATE = "operate"
    SERVICE = "service"


@dataclass(frozen=True)
class Principal:
    """Who makes a request: a token's name and scopes; nobody has neither."""

    name: str = ""
    scopes: Collection[str] = ()

    @property
    def known(self) -> bool:
        return bool(self.name)

    def has(self, scope: Scope) -> bool:
        """Whether this principal may do what `scope` stands for."""
        return scope in self.scopes or (scope is Scope.SUBMIT and Scope.OPERATE in self.scopes)

    def require(self, *scopes: Scope) -> None:
        """Raise `Unauthenticated` or `Forbidden` unless one of `scopes` is held."""
        if not self.known:
            raise Unauthenticated("this needs a token: send it as 'Authorization: Bearer TOKEN'")
        if not any(self.has(scope) for scope in scopes):
            raise Forbidden(f"the token {self.name!r} does not allow this; it needs {' or '.join(scopes)}")


NOBODY = Principal()


def create_token(name: str, scopes: Collection[Scope]) -> str:
    """Make a token; the returned text is shown once and kept nowhere. `Conflict` if the name is taken."""
    token = secrets.token_urlsafe(TOKEN_BYTES)
    try:
        with transaction.atomic():
            ApiToken.objects.create(name=name, digest=_digest(token), scopes=sorted(scopes))
    except IntegrityError:
        raise Conflict(f"there is a token named {name!r} already; choose another name") from None
    return token


def keep_token(name: str, token: str, scopes: Collection[Scope]) -> None:
    """Make `token` the one of this name, whatever it was before."""
    ApiToken.objects.update_or_create(
        name=name, defaults={"digest": _digest(token), "scopes": sorted(scopes)}
    )


def principal_of(token: str) -> Principal:
    """Whom a token stands for; `Unauthenticated` if for nobody."""
    if hmac.compare_digest(_digest(token), _digest(settings.UCI.service_token)):
        return Principal("service", (Scope.SERVICE,))
    row = ApiToken.objects.filter(digest=_digest(token)).first()
    if row is None:
        raise Unauthenticated("the token is not known; make one with: uci-engine token create NAME")
    return Principal(row.name, row.scopes)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
