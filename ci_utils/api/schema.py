"""Request bodies: strict JSON, checked against a JSON Schema.

The schemas are the one description of what an operation takes.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match

from ci_utils.errors import InvalidRequest

MAX_BODY_BYTES = 4 << 20
#: Among so many errors of a body the most telling one is looked for.
MAX_ERRORS = 20

#: Building blocks of the services' schemas.
TEXT = {"type": "string", "maxLength": 65536}
LINE = {"type": "string", "maxLength": 4096, "pattern": r"^[^\n\r]*\Z"}
URL = {"type": "string", "maxLength": 4096, "pattern": r"^https?://\S+\Z"}
OPTIONAL_URL = {"anyOf": [URL, {"type": "null"}]}
ID = {"type": "integer", "minimum": 1, "maximum": 2**31 - 1}
ID_OR_TEXT = {"anyOf": [ID, {"type": "string", "pattern": r"^[1-9][0-9]{0,8}\Z"}]}
#: Names of progress queues, archives and the like.
TRIGGER = {"type": "string", "pattern": r"^[A-Za-z0-9][A-Za-z0-9._-]{0,199}\Z"}
ARCHIVE = {"type": "string", "pattern": r"^ppa:[a-z0-9][a-z0-9+.-]*/[a-z0-9][a-z0-9+._-]*\Z"}
SERIES = {"type": "string", "pattern": r"^[a-z][a-z0-9.-]{0,63}\Z"}
PACKAGE = {"type": "string", "pattern": r"^[a-z0-9][a-z0-9+.-]{1,127}\Z"}
#: SHA-256 of files by their names.
CHECKSUMS = {
    "type": "object",
    "maxProperties": 10_000,
    "additionalProperties": {"type": "string", "pattern": r"^[0-9a-f]{64}\Z"},
}

BOOLEAN = {"type": "boolean"}
TIME = {"type": "string", "format": "date-time"}
OPTIONAL_TIME = {"anyOf": [TIME, {"type": "null"}]}
#: An answer that is no JSON.
PLAIN_TEXT = {"type": "string", "contentMediaType": "text/plain"}


def list_of(item: Mapping[str, Any], *, least: int = 0, most: int = 10_000) -> dict[str, Any]:
    """Schema of an array."""
    return {"type": "array", "minItems": least, "maxItems": most, "items": item}


def fields(required: Mapping[str, Any], optional: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Schema of an object with these fields and no others."""
    return {
        "type": "object",
        "properties": {**required, **(optional or {})},
        "required": list(required),
        "additionalProperties": False,
    }


def read_json(request: HttpRequest, schema: Mapping[str, Any]) -> dict[str, Any]:
    """The body of a request that holds an object; `InvalidRequest` names the field that is wrong."""
    return dict(parse_json(body_of(request), schema))


def body_of(request: HttpRequest) -> bytes:
    """The body of a request, if it is not too large."""
    try:
        body = request.body
    except RequestDataTooBig:
        raise InvalidRequest(f"the body is larger than {MAX_BODY_BYTES} bytes") from None
    return body


def parse_json(content: bytes, schema: Mapping[str, Any]) -> Any:
    """JSON that is as the schema says; `InvalidRequest` names the field that is wrong.

    What JSON Schema takes for an integer is an `int`, however it is written.
    """
    try:
        data = json.loads(content, parse_float=_number, parse_constant=_refuse_constant)
        json.dumps(data, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise InvalidRequest("the body is not valid JSON; send JSON in UTF-8") from None
    if b"\\u0000" in content:
        raise InvalidRequest("the body has a NUL character, which no field may hold")
    error = best_match(_some_errors(schema, data))
    if error is not None:
        raise InvalidRequest(_sentence(error))
    return data


def _some_errors(schema: Mapping[str, Any], data: Any) -> Iterator[ValidationError]:
    """The first errors: a body can have a million of them, and a list that is too long is not looked into."""
    for error in islice(Draft202012Validator(schema).iter_errors(data), MAX_ERRORS):
        yield error
        if error.validator == "maxItems":
            return


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


def _number(text: str) -> int | float:
    """A number with a point or an exponent, which can be an integer all the same: 100.0."""
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return int(value) if value.is_integer() else value


def _sentence(error: ValidationError) -> str:
    where = ".".join(str(part) for part in error.absolute_path) or "the body"
    return f"{where}: {error.message[:300]}"
