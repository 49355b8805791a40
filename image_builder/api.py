"""REST interface of the image builder. Specification: chapter "Image Builder"."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, re_path
from tastypie.utils import trailing_slash

from ci_utils.api.resources import EngineMeta, EngineResource
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


class ImageBuilderResource(EngineResource):
    """`imagebuilder/status`: the image builder and its running jobs."""

    class Meta(EngineMeta):
        resource_name = "imagebuilder"
        list_allowed_methods = ["get"]
        detail_allowed_methods: list[str] = []

    def prepend_urls(self) -> list[URLPattern]:
        return [
            re_path(
                rf"^{self._meta.resource_name}/status{trailing_slash()}$",
                self.wrap_view("dispatch_list"),
                name="api_imagebuilder_status",
            )
        ]

    def get_list(self, request: HttpRequest, **_: Any) -> HttpResponse:
        response: HttpResponse = self.create_response(request, status())
        return response
