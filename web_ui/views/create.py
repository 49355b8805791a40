"""The form that makes a ticket. Files go through the engine to the places that the ticket system names."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

from django.contrib.auth.decorators import login_required
from django.core.files.uploadhandler import TemporaryFileUploadHandler
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods

from ci_utils.errors import CIError
from web_ui import backend
from web_ui.domain.submission import SentFile, submit

FIELDS = ("title", "description", "owner", "bug_id", "add_packages", "remove_packages", "private")
MAX_KEY = 100


# Who is not logged in is turned away before the body is read; only then is the form's token looked at.
@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def new(request: HttpRequest) -> HttpResponse:
    """Make a ticket and queue it."""
    # Every file goes to disk, so that it can be sent on without being held in memory.
    request.upload_handlers = [TemporaryFileUploadHandler(request)]
    return _form(request)


@csrf_protect
def _form(request: HttpRequest) -> HttpResponse:
    if request.method != "POST":
        values: dict[str, Any] = {"owner": _address_of(request), "key": secrets.token_urlsafe(16)}
        return render(request, "web_ui/new.html", {"values": values, "here": "new"})
    values = {name: request.POST.get(name, "") for name in (*FIELDS, "key")}
    files = [
        SentFile(str(file.name), Path(file.temporary_file_path()))  # type: ignore[attr-defined]
        for file in request.FILES.getlist("files")
    ]
    try:
        key = f"form-{values['key'][:MAX_KEY]}"
        ticket_id = submit(backend.ticket_system(request), values, files, key=key)
    except CIError as error:
        values["key"] = secrets.token_urlsafe(16)  # what was wrong is not what comes next
        context = {"values": values, "error": error.message, "here": "new"}
        return render(request, "web_ui/new.html", context, status=error.http_status)
    return redirect("web_ui:ticket", ticket_id=ticket_id)


def _address_of(request: HttpRequest) -> str:
    user: Any = request.user
    name = str(user.get_username())
    return user.email or (name if "@" in name else "")
