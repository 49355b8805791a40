"""Logging in and out."""

from __future__ import annotations

from urllib.parse import urlsplit

from django.contrib.auth import authenticate, login, logout
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from ci_utils.errors import TooManyRequests
from web_ui import backend
from web_ui.domain.login_throttle import LoginThrottle

throttle = LoginThrottle()


@sensitive_post_parameters("password")
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def log_in(request: HttpRequest) -> HttpResponse:
    """The form, and what comes of it."""
    values = request.POST if request.method == "POST" else request.GET
    following = safe_address(values.get("next", ""))
    name = values.get("name", "").replace("\0", "")  # which no database takes
    context = {
        "next": following,
        "name": name[:150],
        "openid": urlsplit(backend.openid_settings().issuer).hostname,
        "here": "login",
    }
    if request.method != "POST":
        return render(request, "web_ui/login.html", context)
    address = request.META.get("REMOTE_ADDR", "")
    try:
        throttle.admit(address, name)
    except TooManyRequests as error:
        response = render(request, "web_ui/login.html", context | {"error": error.message}, status=429)
        response["Retry-After"] = str(error.retry_after)
        return response
    user = authenticate(request, username=name, password=values.get("password", ""))
    if user is None:
        wrong = "name and password do not belong together"
        return render(request, "web_ui/login.html", context | {"error": wrong}, status=401)
    throttle.succeeded(address, name)
    login(request, user)
    return redirect(following)


@require_POST
def log_out(request: HttpRequest) -> HttpResponse:
    """End the session."""
    logout(request)
    return redirect("web_ui:tickets")


def safe_address(address: str) -> str:
    """Where to go on: an address of these pages, the list of tickets instead of any other."""
    own = url_has_allowed_host_and_scheme(address, allowed_hosts=None)
    return address if own and address.startswith("/") else "/"
