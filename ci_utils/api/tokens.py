"""Tokens and what they allow."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from ci_utils.api.models import ApiToken
from ci_utils.errors import Conflict, Forbidden, NotFound, Unauthenticated

TOKEN_BYTES = 32
BY_DIGEST = f"SELECT * FROM {ApiToken._meta.db_table} WHERE digest = %s"  # noqa: S608 -- a table's name


class Scope(StrEnum):
    """What a token allows; `OPERATE` includes `SUBMIT`, and every one includes `READ`."""

    READ = "read"
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
        if scope is Scope.READ:
            return self.known
        return scope in self.scopes or (scope is Scope.SUBMIT and Scope.OPERATE in self.scopes)

    @property
    def sees_all(self) -> bool:
        """Whether nothing is hidden from this principal: it is an operator or a service."""
        return self.has(Scope.OPERATE) or self.has(Scope.SERVICE)

    def require(self, *scopes: Scope) -> None:
        """Raise `Unauthenticated` or `Forbidden` unless one of `scopes` is held."""
        if not self.known:
            raise Unauthenticated("this needs a token: send it as 'Authorization: Bearer TOKEN'")
        if not any(self.has(scope) for scope in scopes):
            raise Forbidden(f"the token {self.name!r} does not allow this; it needs {' or '.join(scopes)}")


NOBODY = Principal()


def create_token(name: str, scopes: Collection[Scope], *, lifetime: timedelta | None = None) -> str:
    """Make a token; the returned text is shown once and kept nowhere.

    It ends after `lifetime`, if that is given. `Conflict` if the name is
    taken by a token that has not expired; one that has makes way.
    """
    token = secrets.token_urlsafe(TOKEN_BYTES)
    now = timezone.now()
    try:
        with transaction.atomic():
            ApiToken.objects.filter(name=name, expires_at__lte=now).delete()
            ApiToken.objects.create(
                name=name,
                digest=digest_of(token),
                scopes=sorted(scopes),
                expires_at=now + lifetime if lifetime else None,
            )
    except IntegrityError:
        raise Conflict(
            f"there is a token named {name!r} already; choose another name, or revoke it"
        ) from None
    return token


def keep_token(name: str, token: str, scopes: Collection[Scope]) -> None:
    """Make `token` the one of this name, whatever it was before."""
    ApiToken.objects.update_or_create(
        name=name, defaults={"digest": digest_of(token), "scopes": sorted(scopes), "expires_at": None}
    )


def revoke_token(name: str) -> None:
    """Make a token void at once; `NotFound` if there is none of this name."""
    deleted, _ = ApiToken.objects.filter(name=name).delete()
    if not deleted:
        raise NotFound(f"there is no token named {name!r}; see: uci-engine token list")


def principal_of(token: str) -> Principal:
    """Whom a token stands for; `Unauthenticated` if for nobody."""
    digest = digest_of(token)
    if hmac.compare_digest(digest, digest_of(settings.UCI.service_token)):
        return Principal("service", (Scope.SERVICE,))
    # Every request asks this: a query that is written down takes half the time of one that is put together.
    row = next(iter(ApiToken.objects.raw(BY_DIGEST, [digest])), None)
    if row is None:
        raise Unauthenticated("the token is not known; make one with: uci-engine token create NAME")
    if row.expires_at and row.expires_at <= timezone.now():
        raise Unauthenticated("the token has expired; make a new one with: uci-engine token create NAME")
    return Principal(row.name, row.scopes)


def digest_of(token: str) -> str:
    """What is kept of a token. It is random and long, so a fast hash without salt is enough."""
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()
