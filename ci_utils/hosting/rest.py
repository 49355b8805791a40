"""One REST API of whichever services are hosted."""

from __future__ import annotations

from ci_utils.api.registry import EngineApi
from ci_utils.hosting import services
from ci_utils.hosting.status import ReadyResource, StatusResource

api = EngineApi(api_name="v1")
api.register(StatusResource())
api.register(ReadyResource())
for _service in services.hosted():
    for _resource in services.room(_service, "urls").RESOURCES:
        api.register(_resource)
