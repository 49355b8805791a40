"""What every page goes through: headers that keep browsers safe, and errors that people can read."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseForbidden
from django.middleware.csrf import CsrfViewMiddleware
from django.shortcuts import render

from ci_utils.errors import CIError

log = logging.getLogger(__name__)

#: Nothing runs or loads but the engine's own files: what a package brings is text, whatever it says.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def is_page(request: HttpRequest) -> bool:
    """Whether a request is for a page of this service, and not for the API or a file."""
    match = request.resolver_match
    return match is not None and "web_ui" in match.namespaces


class Pages:
    """Headers of pages; an error of the services becomes a page with its sentence."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response: HttpResponseBase = self._get_response(request)
        if response.get("Content-Type", "").startswith("text/html"):
            response.headers.setdefault("Content-Security-Policy", POLICY)
            response.headers.setdefault("Referrer-Policy", "same-origin")
            response.headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
            response.headers.setdefault("Cache-Control", "private, no-cache")
            if isinstance(response, HttpResponse):
                response.headers.setdefault("Content-Length", str(len(response.content)))
        return response

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """The page of an error that the engine raises on purpose."""
        if not isinstance(error, CIError) or not is_page(request):
            return None
        if error.http_status >= 500:
            log.warning("%s: %s", request.path, error)
        context = {"status": error.http_status, "sentence": error.message, "retryable": error.retryable}
        return render(request, "web_ui/error.html", context, status=error.http_status)


class CsrfOfPages(CsrfViewMiddleware):
    """Django's, for pages only: the API knows no cookies."""

    def process_view(
        self,
        request: HttpRequest,
        callback: Callable[..., HttpResponseBase],
        callback_args: tuple[Any, ...],
        callback_kwargs: dict[str, Any],
    ) -> HttpResponseForbidden | None:
        if not is_page(request):
            return None
        return super().process_view(request, callback, callback_args, callback_kwargs)
