"""All addresses: one API for whichever services are hosted, the local adapters' files, and pages."""

from __future__ import annotations

from django.urls import include, path

from ci_utils.hosting import files, openapi, services
from ci_utils.hosting.rest import api

urlpatterns = [
    path(openapi.PATH.removeprefix("/"), openapi.description),
    path("api/", include(api.urls)),
]
if services.serves_files():
    urlpatterns += [
        path("data/<str:container>/<str:filename>", files.data),
        path("images/<str:image_id>.qcow2", files.image),
        path("archives/<str:owner>/<str:name>/<path:filename>", files.archive),
    ]
for _service in services.hosted():
    urlpatterns += getattr(services.room(_service, "urls"), "PAGES", [])
