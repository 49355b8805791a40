"""The API as a whole: its resources by name, and the list of them."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, JsonResponse
from tastypie.api import Api


class EngineApi(Api):
    """tastypie's registry; its index speaks JSON only and is only read."""

    @property
    def resources(self) -> dict[str, Any]:
        """The resources by name."""
        return dict(self._registry)

    def top_level(self, request: HttpRequest, api_name: str | None = None) -> HttpResponse:
        if request.method not in ("GET", "HEAD"):
            return HttpResponseNotAllowed(["GET", "HEAD"])
        base = f"/api/{api_name or self.api_name}"
        return JsonResponse(
            {
                name: {"list_endpoint": f"{base}/{name}/", "schema": f"{base}/{name}/schema/"}
                for name in self._registry
            }
        )
