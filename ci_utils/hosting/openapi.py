"""`GET /api/v1/openapi.json`: the description of everything that this process serves."""

from __future__ import annotations

from functools import cache
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, JsonResponse

from ci_utils.api.openapi import document, errors
from ci_utils.api.schema import ID, TEXT, fields
from ci_utils.hosting import services
from ci_utils.hosting.rest import api

PATH = "/api/v1/openapi.json"
CONTENT = {"schema": {"type": "string", "contentMediaType": "application/octet-stream"}}
READ = (400, 401, 403, 404, 416, 429)


def description(request: HttpRequest) -> HttpResponse:
    """The description as JSON."""
    if request.method not in ("GET", "HEAD"):
        return HttpResponseNotAllowed(["GET", "HEAD"])
    return JsonResponse(described())


@cache
def described() -> dict[str, Any]:
    """The description; made once, as the code does not change while it runs."""
    return document(api.resources, base="/api/v1", more=_other_paths())


def _other_paths() -> dict[str, Any]:
    own = {PATH: {"get": _operation("openapi", "This description", {"200": _json_answer()})}}
    return {**own, **_file_paths()} if services.serves_files() else own


def _file_paths() -> dict[str, Any]:
    return {
        "/data/{container}/{filename}": {
            "parameters": _path("container", "filename"),
            **_file("data", "A file of the data store: a public one, or by signed URL"),
            "put": _upload(),
        },
        "/images/{image_id}.qcow2": {
            "parameters": _path("image_id"),
            **_file("image", "An image as one file"),
        },
        "/archives/{owner}/{name}/{filename}": {
            "parameters": _path("owner", "name", "filename"),
            **_file("archive", "A file of an apt archive; its name has slashes"),
        },
        "/upload/{filename}": {"parameters": _path("filename"), "put": _upload_by_dput()},
    }


def _file(name: str, summary: str) -> dict[str, Any]:
    """Reading a file, whole or in part."""
    content = {"application/octet-stream": CONTENT, "text/plain": CONTENT}
    whole = {"description": "The file.", "content": content}
    part = {"description": "The part of it that was asked for.", "content": content}
    bodiless = {status: {"description": answer["description"]} for status, answer in errors(READ).items()}
    ranged = [
        {"name": "Range", "in": "header", "schema": {"type": "string", "pattern": "^bytes="}},
        {"name": "If-Range", "in": "header", "schema": {"type": "string"}},
    ]
    return {
        "get": {
            **_operation(f"get_{name}", summary, {"200": whole, "206": part, **errors(READ)}),
            "parameters": ranged,
        },
        "head": _operation(f"head_{name}", summary, {"200": {"description": "It is there."}, **bodiless}),
    }


def _upload() -> dict[str, Any]:
    answers = {"201": {"description": "It is kept."}, **errors((400, 401, 403, 404, 409, 429))}
    return {
        **_operation("put_data", "Upload a file to its signed URL, once", answers),
        "parameters": [
            {"name": name, "in": "query", "schema": {"type": "string"}} for name in ("expires", "signature")
        ],
        "requestBody": {"content": {"application/octet-stream": {}}},
    }


def _upload_by_dput() -> dict[str, Any]:
    answer = fields({"file": TEXT, "ticket": {"anyOf": [ID, {"type": "null"}]}})
    content = {"application/json": {"schema": answer}}
    kept = {"description": "It is kept; `ticket` is what is complete by it.", "content": content}
    summary = "A file of an upload by dput, whose .changes a trusted key signed"
    return {
        **_operation("put_upload", summary, {"201": kept, **errors((400, 404, 503))}),
        "security": [{}],
        "requestBody": {"content": {"application/octet-stream": {}}},
    }


def _operation(name: str, summary: str, answers: dict[str, Any]) -> dict[str, Any]:
    return {
        "operationId": name,
        "summary": summary,
        "security": [{}, {"token": []}],
        "responses": answers,
    }


def _json_answer() -> dict[str, Any]:
    return {"description": "Done.", "content": {"application/json": {"schema": {"type": "object"}}}}


def _path(*names: str) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for name in names
    ]
