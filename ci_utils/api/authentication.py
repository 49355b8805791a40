"""tastypie's authentication by bearer token; reads of public things need none."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

from django.http import HttpRequest
from tastypie.authentication import Authentication

from ci_utils.api.throttling import FailedTries
from ci_utils.api.tokens import NOBODY, Principal, Scope, principal_of
from ci_utils.clients.on_behalf import PRINCIPAL_HEADER, SCOPES_HEADER
from ci_utils.errors import Forbidden, InvalidRequest, Unauthenticated

PREFIX = "Bearer "

#: What this process remembers of tokens that were not known.
failed_tries = FailedTries()


class TokenAuthentication(Authentication):
    """Sets `request.principal`; a wrong token is refused, a missing one is nobody.

    With the services' token a service can ask on behalf of a person, who is the
    principal then (`ci_utils.clients.on_behalf`).

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
        shown = failed_tries.slowed(request.META.get("REMOTE_ADDR", ""), token, principal_of)
        request.principal = _asked_for(request, shown)  # type: ignore[attr-defined]
        return True

    def get_identifier(self, request: HttpRequest) -> str:
        principal: Principal = getattr(request, "principal", NOBODY)
        return principal.name or "nobody"


def _asked_for(request: HttpRequest, shown: Principal) -> Principal:
    """The person that a service asks for, else whoever showed the token."""
    name = request.headers.get(PRINCIPAL_HEADER)
    if name is None:
        return shown
    if not shown.has(Scope.SERVICE):
        raise Forbidden(
            f"the token {shown.name!r} may not ask on behalf of others; leave {PRINCIPAL_HEADER} out"
        )
    scopes = [scope for scope in request.headers.get(SCOPES_HEADER, "").split(",") if scope]
    if not {Scope.READ, Scope.SUBMIT, Scope.OPERATE}.issuperset(scopes):
        raise InvalidRequest(f"{SCOPES_HEADER}: a person may read, submit or operate")
    return Principal(unquote(name), tuple(Scope(scope) for scope in scopes)) if name else NOBODY
