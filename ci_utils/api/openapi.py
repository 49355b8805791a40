"""The OpenAPI 3.1 description of the API, made from what the resources themselves say.

Addresses come from `routes()`, methods from `Meta.*_allowed_methods`, bodies
from the schemas that requests are checked against, answers from tastypie's
fields and what Meta adds to them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ci_utils.api.paging import MAX_OFFSET
from ci_utils.api.resources import Route
from ci_utils.api.schema import BOOLEAN, PLAIN_TEXT, TEXT, TIME, fields, list_of

Schema = Mapping[str, Any]

#: What Meta calls the schema of the body that a method takes.
BODIES = {
    "post_list": "create",
    "patch_detail": "change",
    "patch_list": "populate",
    "post_cancel": "cancel",
    "post_retry": "retry",
}
FIELD_TYPES: Mapping[str, Schema] = {
    "boolean": BOOLEAN,
    "datetime": TIME,
    "dict": {"type": "object"},
    "integer": {"type": "integer"},
    "list": {"type": "array"},
    "related": {"type": "string"},
    "string": {"type": "string"},
}
ERRORS = {
    400: "The request is wrong; the sentence names what is.",
    401: "No token, or one that is not known.",
    403: "The token does not allow this.",
    404: "There is nothing here that the caller may see.",
    409: "It contradicts the present state.",
    416: "The part that was asked for begins behind the end of the file.",
    429: "Too many unknown tokens came from this address.",
    503: "Something that is needed does not answer; try again later.",
}
OF_READS = (400, 401, 404, 429)
OF_WRITES = (400, 401, 403, 404, 409, 429, 503)
PAGE = fields(
    {
        "limit": {"type": "integer"},
        "offset": {"type": "integer"},
        "total_count": {"type": "integer"},
        "next": {"type": ["string", "null"]},
        "previous": {"type": ["string", "null"]},
    }
)
RESOURCE_SCHEMA: Schema = {
    "type": "object",
    "properties": {"fields": {"type": "object"}},
    "required": ["fields"],
}
INDEX: Schema = {
    "type": "object",
    "additionalProperties": fields({"list_endpoint": TEXT, "schema": TEXT}),
}


def document(resources: Mapping[str, Any], *, base: str, more: Mapping[str, Any]) -> dict[str, Any]:
    """The description of these resources below `base`, and of `more` paths."""
    paths: dict[str, Any] = {f"{base}/": {"get": _index()}}
    schemas: dict[str, Schema] = {"error": fields({"error": TEXT}), "page": PAGE}
    for name, resource in sorted(resources.items()):
        schemas |= _schemas(name, resource)
        for route in resource.routes():
            operations = dict(_operations(name, resource, route))
            if operations:
                paths[f"{base}/{name}{route.tail}/"] = operations | _path_parameters(route)
    described = {
        "openapi": "3.1.0",
        "info": {
            "title": "Ubuntu CI Engine",
            "version": "1",
            "description": "Signed Debian source packages: built, tested on an image, published.",
        },
        "paths": {**paths, **more},
        "components": {
            "schemas": schemas,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }
    return dict(_without_python(described))


def methods_of(resource: Any, route: Route) -> list[str]:
    """The methods that a route answers, in lower case."""
    return list(getattr(resource._meta, f"{route.kind}_allowed_methods", ()))


def errors(statuses: Iterable[int]) -> dict[str, Any]:
    """The error answers of an operation."""
    return {
        str(status): {"description": ERRORS[status], "content": _json(_reference("error"))}
        for status in statuses
    }


def _schemas(name: str, resource: Any) -> Iterator[tuple[str, Schema]]:
    if resource.fields:
        yield name, object_schema(resource)
    for action in BODIES.values():
        if schema := getattr(resource._meta, f"{action}_schema", None):
            yield f"{name}_{action}", schema


def object_schema(resource: Any) -> Schema:
    """The JSON Schema of one object of a resource."""
    meta = resource._meta
    own = {name: _field_schema(field) for name, field in resource.fields.items()}
    return fields({**own, **meta.added_fields}, meta.optional_fields)


def _field_schema(field: Any) -> Schema:
    schema = FIELD_TYPES[field.dehydrated_type]
    return {"anyOf": [schema, {"type": "null"}]} if field.null else schema


def _operations(name: str, resource: Any, route: Route) -> Iterator[tuple[str, Any]]:
    for method in methods_of(resource, route):
        handler = f"{method}_{route.kind}"
        writes = method != "get"
        operation = {
            "operationId": "_".join((handler, name, *route.tail.replace("{pk}", "").split("/"))).strip("_"),
            "tags": [name],
            "summary": _first_sentence(type(resource).__doc__ or name),
            # Nothing in the list is also an alternative: reads of what is public need no token.
            "security": [{"token": []}] if writes else [{}, {"token": []}],
            "responses": {**_answers(name, resource, handler), **errors(OF_WRITES if writes else OF_READS)},
        }
        if handler == "get_list" and handler not in resource._meta.answers:
            operation["parameters"] = list(_query_parameters(resource))
        if headers := resource._meta.header_fields.get(handler):
            operation["parameters"] = [_parameter("header", name, headers[name]) for name in headers]
        if queries := resource._meta.part_fields.get(handler):
            operation["parameters"] = [_query(name, queries[name]) for name in queries]
        if hasattr(resource._meta, f"{BODIES.get(handler)}_schema"):
            body = _reference(f"{name}_{BODIES[handler]}")
            operation["requestBody"] = {"required": True, "content": _json(body)}
        if writes:
            scopes = getattr(resource._meta, f"{BODIES[handler]}_scopes")
            operation["x-scopes"] = [str(scope) for scope in scopes]
        yield method, operation


def _answers(name: str, resource: Any, handler: str) -> dict[str, Any]:
    answers = resource._meta.answers.get(handler) or _common_answers(name, handler)
    return {str(status): _answer(status, schema) for status, schema in answers.items()}


def _common_answers(name: str, handler: str) -> Mapping[int, Schema]:
    one = _reference(name)
    if handler == "get_schema":
        return {200: RESOURCE_SCHEMA}
    if handler in ("get_list", "patch_list"):
        return {200: fields({"meta": _reference("page"), "objects": list_of(one)})}
    if handler in ("post_list", "post_retry"):
        return {200: one, 201: one}
    return {200: one}


def _answer(status: int, schema: Schema) -> dict[str, Any]:
    description = {201: "Made.", 202: "Accepted; it is done soon."}.get(status, "Done.")
    text = {"text/plain; charset=utf-8": {"schema": {"type": "string"}}}
    answer = {"description": description, "content": text if schema == PLAIN_TEXT else _json(schema)}
    if status == 201:
        answer["headers"] = {"Location": {"description": "Its address.", "schema": {"type": "string"}}}
    return answer


def _query_parameters(resource: Any) -> Iterator[Schema]:
    meta = resource._meta
    yield _query("limit", {"type": "integer", "minimum": 0})
    yield _query("offset", {"type": "integer", "minimum": 0, "maximum": MAX_OFFSET})
    if meta.ordering:
        yield _query(
            "order_by", {"enum": [f"{sign}{field}" for field in meta.ordering for sign in ("", "-")]}
        )
    for name, lookups in (meta.filtering or {}).items():
        for lookup in lookups:
            yield _query(
                name if lookup == "exact" else f"{name}__{lookup}", _filter_schema(resource, name, lookup)
            )
    for name, schema in meta.query_fields.items():
        yield _query(name, schema)


def _filter_schema(resource: Any, name: str, lookup: str) -> Schema:
    if lookup == "isnull":
        return BOOLEAN
    kind = resource.fields[name].dehydrated_type if name in resource.fields else "string"
    if lookup == "in" or kind in ("list", "dict"):
        return {"type": "string"}
    if kind in ("integer", "related") or name == "id":
        return {"type": "integer"}
    return FIELD_TYPES[kind]


def _query(name: str, schema: Schema) -> Schema:
    return _parameter("query", name, schema)


def _parameter(place: str, name: str, schema: Schema) -> Schema:
    return {"name": name, "in": place, "schema": schema}


def _path_parameters(route: Route) -> dict[str, Any]:
    if "{pk}" not in route.tail:
        return {}
    number = {"type": "integer", "minimum": 0, "maximum": 10**18 - 1}
    return {"parameters": [{"name": "pk", "in": "path", "required": True, "schema": number}]}


def _index() -> dict[str, Any]:
    return {
        "operationId": "index",
        "summary": "The resources and where each describes itself",
        "security": [{}],
        "responses": {"200": _answer(200, INDEX)},
    }


def _json(schema: Schema) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _reference(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _first_sentence(text: str) -> str:
    return " ".join(text.split()).partition(". ")[0].rstrip(".")


def _without_python(schema: Any) -> Any:
    """The same in the regular expressions of JSON Schema, which end with `$` where Python's do with `\\Z`."""
    if isinstance(schema, Mapping):
        return {
            key: value.replace(r"\Z", "$")
            if key == "pattern" and isinstance(value, str)
            else _without_python(value)
            for key, value in schema.items()
        }
    return [_without_python(value) for value in schema] if isinstance(schema, list | tuple) else schema
