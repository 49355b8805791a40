from __future__ import annotations

import pytest
from django.http import HttpRequest
from django.test import RequestFactory
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from ci_utils.api import schema
from ci_utils.errors import InvalidRequest

TICKET = schema.fields({"title": schema.LINE}, {"bug_id": schema.ID, "sources": schema.list_of(schema.URL)})


def request_with(body: bytes | str) -> HttpRequest:
    return RequestFactory().post("/api/v1/ticket/", body, content_type="application/json")


def test_what_fits_the_schema_is_read() -> None:
    body = '{"title": "süß", "bug_id": 12, "sources": ["http://localhost/a"]}'
    assert schema.read_json(request_with(body), TICKET) == {
        "title": "süß",
        "bug_id": 12,
        "sources": ["http://localhost/a"],
    }


@pytest.mark.parametrize("number", ["12.0", "1.2e1", "120e-1", "12"])
def test_an_integer_is_an_integer_however_it_is_written(number: str) -> None:
    read = schema.read_json(request_with(f'{{"title": "a", "bug_id": {number}}}'), TICKET)
    assert read["bug_id"] == 12
    assert isinstance(read["bug_id"], int)


def test_other_numbers_stay_as_they_are() -> None:
    assert schema.parse_json(b"[1.5, -0.25]", {}) == [1.5, -0.25]


def test_a_number_that_no_database_holds_is_refused() -> None:
    with pytest.raises(InvalidRequest):
        schema.parse_json(b"[1e400]", {})


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{",
        "nonsense",
        b"\xff\xfe",
        '{"title": NaN}',
        '{"title": "a"} trailing',
        '{"title": "\\ud800"}',
        '{"title": "a\\u0000b"}',
        "[" * 100_000,
        "[]",
        "null",
        '"text"',
        "12",
    ],
    ids=str,
)
def test_what_is_no_json_object_is_refused(body: bytes | str) -> None:
    with pytest.raises(InvalidRequest):
        schema.read_json(request_with(body), TICKET)


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ("{}", "title"),
        ('{"title": 1}', "title"),
        ('{"title": "two\\nlines"}', "title"),
        ('{"title": "a", "bug_id": "x"}', "bug_id"),
        ('{"title": "a", "bug_id": true}', "bug_id"),
        ('{"title": "a", "bug_id": 0}', "bug_id"),
        ('{"title": "a", "bug_id": 99999999999999999999}', "bug_id"),
        ('{"title": "a", "sources": "http://localhost/"}', "sources"),
        ('{"title": "a", "sources": ["http://localhost/", "file:///etc/passwd"]}', "sources.1"),
        ('{"title": "a", "surprise": 1}', "surprise"),
    ],
)
def test_the_refusal_names_the_field(body: str, named: str) -> None:
    with pytest.raises(InvalidRequest, match=named):
        schema.read_json(request_with(body), TICKET)


def test_a_refusal_is_short_however_long_the_value() -> None:
    with pytest.raises(InvalidRequest) as caught:
        schema.read_json(request_with('{"title": ["' + "x" * 100_000 + '"]}'), TICKET)
    assert len(caught.value.message) < 500


@pytest.mark.parametrize(
    ("block", "good", "bad"),
    [
        (schema.PACKAGE, ["hello", "libc6", "g++", "a0.b-c"], ["", "Hello", "../x", "-rf", "a b", "a"]),
        (schema.ARCHIVE, ["ppa:local/ci_pool-001"], ["ppa:a", "ppa:../x", "http://x/y", "ppa:a/b\n"]),
        (schema.SERIES, ["bookworm", "noble"], ["", "Noble", "../x", "12", "a b"]),
        (schema.TRIGGER, ["ticket-12", "lander-1-build"], ["", "-x", "a/b", "x" * 300, "a\nb"]),
        (schema.ID_OR_TEXT, [1, "12"], [0, "0", "x", -1, "1.5", True, None]),
    ],
)
def test_the_blocks_take_what_the_field_uses_and_nothing_else(
    block: dict[str, object], good: list[object], bad: list[object]
) -> None:
    validator = Draft202012Validator(block)
    assert [value for value in good if not validator.is_valid(value)] == []
    assert [value for value in bad if validator.is_valid(value)] == []


@given(st.binary(max_size=200))
def test_no_body_raises_anything_but_a_refusal(body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        schema.read_json(request_with(body), TICKET)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("item", [b"1", b"{}", b'"aa"'])
def test_a_list_that_is_too_long_is_refused_without_looking_at_all_of_it(item):
    count = schema.MAX_BODY_BYTES // (len(item) + 1) - 1
    with pytest.raises(InvalidRequest):
        schema.parse_json(b"[" + (item + b",") * count + item + b"]", schema.list_of(schema.PACKAGE))
