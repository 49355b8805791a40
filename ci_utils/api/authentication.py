"""tastypie's authentication by bearer token; reads of public things need none."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from tastypie.authentication import Authentication

from ci_utils.api.throttling import FailedTries
from ci_utils.api.tokens import NOBODY, Principal, principal_of
from ci_utils.errors import Unauthenticated

PREFIX = "Bearer "

#: What this process remembers of tokens that were not known.
failed_tries = FailedTries()


class TokenAuthentication(Authentication):
    """Sets `request.principal`; a wrong token is refused, a missing one is nobody.

    What a principal may do is asked where it is done (`Principal.require`).
    """

    def is_authenticated(self, request: HttpRequest, **_: Any) -> bool:
        header = request.headers.get("Authorization", "")
        if not header:
            request.principal = NOBODY  # type: ignore[attr-defined]
            return True
        if not header.startswith(PREFIX):
            raise Unauthenticated("the Authorization header must be 'Bearer TOKEN'")
        token = header.removeprefix(PREFIX).strip()
        request.principal = failed_tries.slowed(  # type: ignore[attr-defined]
            request.META.get("REMOTE_ADDR", ""), token, principal_of
        )
        return True

    def get_identifier(self, request: HttpRequest) -> str:
        principal: Principal = getattr(request, "principal", NOBODY)
        return principal.name or "nobody"
