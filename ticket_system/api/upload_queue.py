"""`/upload/NAME`: where dput sends its files to.

dput shows no body of an answer, only its status line; so that has the reason.
"""

from __future__ import annotations

import re

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt

from ci_utils.api.resources import error_response, error_to_tell
from ci_utils.durability import settle
from ci_utils.errors import InvalidRequest
from ci_utils.hosting import ports
from ticket_system.domain.incoming import receive_file
from ticket_system.domain.upload_queue import UploadQueue

LENGTH = re.compile(r"[0-9]{1,15}", re.ASCII)
MAX_REASON = 400

_NOT_IN_STATUS_LINES = re.compile(r"[^ -~]")


def upload_queue() -> UploadQueue:
    """The queue of this engine."""
    return UploadQueue(
        series=ports.config().series,
        stores=ports.data_stores(),
        archives=ports.archives(),
        broker=ports.broker(),
    )


@csrf_exempt
def upload_file(request: HttpRequest, filename: str) -> HttpResponse:
    """PUT one file of an upload; it needs no token, because the .changes is signed by a trusted key.

    The answer names the `ticket` that is complete by this file; null as long as files are missing.
    """
    if request.method != "PUT":
        return HttpResponse(status=405, headers={"Allow": "PUT"})
    try:
        ticket = _receive(request, filename)
        settle()
    except Exception as error:
        told = error_to_tell(error, path=request.path, noun="upload")
        response = error_response(told)
        response.reason_phrase = _NOT_IN_STATUS_LINES.sub("?", told.message)[:MAX_REASON]
        return response
    return JsonResponse({"file": filename, "ticket": ticket}, status=201)


def _receive(request: HttpRequest, filename: str) -> int | None:
    length = request.headers.get("Content-Length", "")
    if not LENGTH.fullmatch(length):
        raise InvalidRequest("the upload must say its Content-Length")
    file = receive_file(
        name=filename,
        stream=request,  # type: ignore[arg-type]
        length=int(length),
        limits=settings.UPLOAD_QUEUE,
        stores=ports.data_stores(),
    )
    ticket = upload_queue().take(file)
    return ticket.pk if ticket else None
