"""What every answer goes through: errors of the API are JSON, and HEAD has no body."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse


class JsonErrors:
    """Gives 4xx and 5xx answers of the API without a JSON body one, and marks all as unsniffable."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response: HttpResponseBase = self._get_response(request)
        if request.path.startswith("/api/") and response.status_code >= 400:
            response = self._as_json(request, response)
        response["X-Content-Type-Options"] = "nosniff"
        return response

    @staticmethod
    def _as_json(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        if getattr(response, "content", b"").startswith(b'{"error":'):
            return response
        phrase = HTTPStatus(response.status_code).phrase.lower()
        answer = JsonResponse(
            {"error": f"{request.method} {request.path[:200]}: {phrase}"}, status=response.status_code
        )
        for name in ("Allow", "WWW-Authenticate"):
            if name in response:
                answer[name] = response[name]
        return answer


class NoBodyForHead:
    """Leaves the body of answers to HEAD away: not every WSGI server does so itself."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response: HttpResponseBase = self._get_response(request)
        if request.method != "HEAD":
            return response
        head = HttpResponse(status=response.status_code, headers=response.headers)
        if isinstance(response, HttpResponse):
            head.headers.setdefault("Content-Length", str(len(response.content)))
        response.close()
        return head
