"""OpenID Connect by Authlib: authorization code with PKCE, state and nonce, keys and addresses by discovery.

The only importer of Authlib and its joserfc.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import requests
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.django_client import OAuth
from django.http import HttpRequest, HttpResponse
from joserfc.errors import JoseError

from ci_utils.config import OpenIDConfig
from ci_utils.errors import NotFound, Unauthenticated, Unavailable

SECONDS = 10
AWAY = "the OpenID Connect provider does not answer as it should; try again, or log in with a password"


def begin(request: HttpRequest, settings: OpenIDConfig, back: str) -> HttpResponse:
    """Send somebody to the provider, who sends them to `back` afterwards."""
    try:
        response: HttpResponse = _provider(settings).authorize_redirect(request, back)
    except (requests.RequestException, AuthlibBaseError, RuntimeError, ValueError) as error:
        raise Unavailable(AWAY) from error
    return response


def name_of(request: HttpRequest, settings: OpenIDConfig) -> str:
    """Who it is that comes back: an e-mail address that the provider has verified, in lower case."""
    try:
        token = _provider(settings).authorize_access_token(request)
    except requests.RequestException as error:
        raise Unavailable(AWAY) from error
    except (AuthlibBaseError, JoseError, RuntimeError, ValueError, KeyError) as error:
        raise Unauthenticated("the provider did not confirm who you are; log in again") from error
    return _address(token.get("userinfo") or {})


def _address(told: Mapping[str, Any]) -> str:
    address = told.get("email")
    if not isinstance(address, str) or "@" not in address or told.get("email_verified") is not True:
        raise Unauthenticated(
            "the provider names no verified e-mail address of yours; verify one there and log in again"
        )
    return address.lower()


def _provider(settings: OpenIDConfig) -> Any:
    if not settings.issuer:
        raise NotFound("this engine has no OpenID Connect provider (UCI_OIDC_ISSUER)")
    settings.require_complete()
    return _registered(settings)


@cache
def _registered(settings: OpenIDConfig) -> Any:
    return OAuth().register(
        "provider",
        client_id=settings.client_id,
        client_secret=settings.client_secret,
        server_metadata_url=f"{settings.issuer}/.well-known/openid-configuration",
        client_kwargs={
            "scope": "openid email",
            "code_challenge_method": "S256",
            "default_timeout": SECONDS,
        },
    )
