"""Logging in with OpenID Connect."""

from __future__ import annotations

from django.contrib.auth import login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from ci_utils.hosting import ports
from web_ui import backend, openid
from web_ui.domain.users import user_of_provider
from web_ui.views.accounts import safe_address

FOLLOWING = "openid-next"
BACKEND = "django.contrib.auth.backends.ModelBackend"


@never_cache
@require_GET
def begin(request: HttpRequest) -> HttpResponse:
    """Go to the provider."""
    # Never from the Host header: the provider knows one address of this engine.
    address = ports.config().url + reverse("web_ui:openid-back")
    leaves = openid.begin(request, backend.openid_settings(), address)
    request.session[FOLLOWING] = safe_address(request.GET.get("next", ""))  # no row where nobody can log in
    return leaves


@never_cache
@require_GET
def back(request: HttpRequest) -> HttpResponse:
    """Come back from the provider."""
    settings = backend.openid_settings()
    name = openid.name_of(request, settings)
    following = request.session.pop(FOLLOWING, "/")
    user = user_of_provider(name, operator=name in settings.operator_addresses)
    login(request, user, backend=BACKEND)
    return redirect(safe_address(following))
