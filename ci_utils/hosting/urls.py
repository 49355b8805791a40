"""All addresses: one API for whichever services are hosted, and the local adapters' files."""

from __future__ import annotations

from django.urls import include, path

from ci_utils.hosting import files, openapi
from ci_utils.hosting.rest import api

urlpatterns = [
    path(openapi.PATH.removeprefix("/"), openapi.description),
    path("api/", include(api.urls)),
    path("data/<str:container>/<str:filename>", files.data),
    path("images/<str:image_id>.qcow2", files.image),
    path("archives/<str:owner>/<str:name>/<path:filename>", files.archive),
]
