"""REST interface of the test runner. Specification: chapter "Test Runner"."""

from __future__ import annotations

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


class TestImageResource(WorkResource):
    """`test_image`: run the DEP-8 tests of source packages on an image.

    `package_list` names sources, which are taken from the first archive of
    `ppa_list` that has them.
    """

    class Meta(WorkMeta):
        resource_name = "test_image"
        queue = "test_runner"
        create_schema = fields(
            {
                "ticket_id": ID_OR_TEXT,
                "image_id": LINE,
                "package_list": list_of(PACKAGE, most=1000),
                "progress_trigger": TRIGGER,
            },
            {
                "ppa_list": list_of(ARCHIVE, most=20),
                "series": SERIES,
                "cancel_url": OPTIONAL_URL,
                "private": {"type": "boolean"},
            },
        )
