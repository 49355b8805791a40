"""`build_source` and `buildlog`. Specification: chapter "Branch/Source Builder", "REST APIs"."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse

from branch_source_builder.domain.live_log import log_part
from branch_source_builder.domain.uploads import check_upload_urls
from ci_utils.api.resources import EngineMeta, EngineResource, principal_of_request
from ci_utils.api.schema import (
    ARCHIVE,
    BOOLEAN,
    CHECKSUMS,
    ID_OR_TEXT,
    LINE,
    OPTIONAL_URL,
    PACKAGE,
    SERIES,
    TRIGGER,
    URL,
    fields,
    list_of,
)
from ci_utils.api.work import WorkMeta, WorkResource
from ci_utils.errors import InvalidRequest, NotFound
from ci_utils.hosting import ports

OFFSET = {"type": "integer", "minimum": 0}
START = re.compile(r"[0-9]{1,12}", re.ASCII)
ASKED: Mapping[str, Mapping[str, Any]] = {"ppa": ARCHIVE, "source": PACKAGE, "version": LINE}


class BuildSourceResource(WorkResource):
    """POST: build these source uploads in this archive, and follow them until all have ended.

    `source_packages` are data-store URLs of the .changes files and of every
    file they list, and `checksums`, if given, their SHA-256 by name: a file
    that has another is not built. `archive` is where the packages are
    published later, and `private` keeps the logs from the public.
    """

    class Meta(WorkMeta):
        resource_name = "build_source"
        queue = "branch_source_builder"
        create_schema = fields(
            {
                "ticket_id": ID_OR_TEXT,
                "source_packages": list_of(URL, least=1),
                "series": SERIES,
                "ppa": ARCHIVE,
                "progress_trigger": TRIGGER,
            },
            {
                "checksums": CHECKSUMS,
                "cancel_url": OPTIONAL_URL,
                "archive": ARCHIVE,
                "private": {"type": "boolean"},
            },
        )

    def check(self, data: Mapping[str, Any]) -> None:
        check_upload_urls(data["source_packages"], data_stores=ports.data_stores())


class BuildLogResource(EngineResource):
    """`buildlog/?ppa=&source=&version=&start=`: the log of a build while it is written, for services.

    `text` are whole lines from the byte `start` on, or the last ones without
    it; ask again with `following` until it has `ended`. Operators may, too.
    """

    class Meta(EngineMeta):
        resource_name = "buildlog"
        list_allowed_methods = ["get"]
        detail_allowed_methods: list[str] = []
        include_resource_uri = False
        part_fields = {"get_list": {"ppa": ARCHIVE, "source": PACKAGE, "version": LINE, "start": OFFSET}}
        answers = {
            "get_list": {200: fields({"text": {"type": "string"}, "following": OFFSET, "ended": BOOLEAN})}
        }

    def get_list(self, request: HttpRequest, **_: Any) -> HttpResponse:
        if not principal_of_request(request).sees_all:
            raise NotFound("there is no build here that you may look at")
        asked = {name: request.GET.get(name, "") for name in ("ppa", "source", "version")}
        for name, value in asked.items():
            if not value or not re.fullmatch(str(ASKED[name]["pattern"]), value):
                raise InvalidRequest(f"{name}: name one")
        start = request.GET.get("start")
        if start is not None and not START.fullmatch(start):
            raise InvalidRequest("start: it must be a number of bytes")
        part = log_part(
            archives=ports.archives(),
            archive=asked["ppa"],
            source=asked["source"],
            version=asked["version"],
            start=None if start is None else int(start),
        )
        response: HttpResponse = self.create_response(request, vars(part))
        return response
