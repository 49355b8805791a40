"""`build_source`. Specification: chapter "Branch/Source Builder", "REST APIs"."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from branch_source_builder.domain.uploads import check_upload_urls
from ci_utils.api.schema import ARCHIVE, ID_OR_TEXT, OPTIONAL_URL, SERIES, TRIGGER, URL, fields, list_of
from ci_utils.api.work import WorkMeta, WorkResource
from ci_utils.hosting import ports


class BuildSourceResource(WorkResource):
    """POST: build these source uploads in this archive, and follow them until all have ended.

    `source_packages` are data-store URLs of the .changes files and of every
    file they list; `archive` is where the packages are published later, and
    `private` keeps the logs from the public.
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
            {"cancel_url": OPTIONAL_URL, "archive": ARCHIVE, "private": {"type": "boolean"}},
        )

    def check(self, data: Mapping[str, Any]) -> None:
        check_upload_urls(data["source_packages"], data_stores=ports.data_stores())
