"""REST interface of the image builder. Specification: chapter "Image Builder"."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse

from ci_utils.api.resources import EngineMeta, EngineResource, Route, numbers_of, principal_of_request
from ci_utils.api.schema import (
    ARCHIVE,
    ID_OR_TEXT,
    LINE,
    OPTIONAL_URL,
    PACKAGE,
    SERIES,
    TRIGGER,
    fields,
    list_of,
)
from ci_utils.api.work import WorkMeta, WorkResource
from ci_utils.hosting import ports
from image_builder.domain.status import status

BASE_IMAGE = fields(
    {"image_type": {"enum": ["cloud", "CLOUD"]}, "url_list": list_of(LINE, most=1), "series": SERIES}
)


class BuildImageResource(WorkResource):
    """`build_image`: a base image, changed by archives and packages.

    `url_list` of the base image holds its name in the image store or a URL of
    the data store; empty, the default base image is taken.
    """

    class Meta(WorkMeta):
        resource_name = "build_image"
        queue = "image_builder"
        create_schema = fields(
            {
                "ticket_id": ID_OR_TEXT,
                "base_image": BASE_IMAGE,
                "ppa_list": list_of(ARCHIVE, most=20),
                "package_list": list_of(PACKAGE),
                "progress_trigger": TRIGGER,
            },
            {
                "remove_package_list": list_of(PACKAGE),
                "cancel_url": OPTIONAL_URL,
                "private": {"type": "boolean"},
            },
        )

    def check(self, data: Mapping[str, Any]) -> None:
        for base in data["base_image"]["url_list"]:
            if "/" in base:  # no name, then
                ports.data_stores().locate(base)


class ImageBuilderResource(EngineResource):
    """`imagebuilder/status`: the image builder and its running jobs."""

    class Meta(EngineMeta):
        resource_name = "imagebuilder"
        list_allowed_methods = ["get"]
        detail_allowed_methods: list[str] = []
        answers = {"get_list": {200: {"type": "object"}}}

    def routes(self) -> list[Route]:
        return [Route("/status", "list", "api_imagebuilder_status"), *super().routes()]

    def get_list(self, request: HttpRequest, **_: Any) -> HttpResponse:
        found = status()
        shown = found if principal_of_request(request).sees_all else numbers_of(found)
        response: HttpResponse = self.create_response(request, shown)
        return response
