from __future__ import annotations

import io

import pytest
from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseBase
from django.test import RequestFactory

from ci_utils.hosting.middleware import NoBodyForHead

#: The end of an answer looks at the database's connection.
pytestmark = pytest.mark.django_db


def answer(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    return NoBodyForHead(lambda _: response)(request)  # type: ignore[arg-type, return-value]


def test_head_gets_the_headers_of_a_text_and_none_of_it() -> None:
    response = answer(RequestFactory().head("/"), HttpResponse(b"text", status=404))
    assert isinstance(response, HttpResponse)
    assert (response.status_code, response.content, response["Content-Length"]) == (404, b"", "4")


def test_head_gets_the_headers_of_a_file_which_is_closed_unread() -> None:
    file = io.BytesIO(b"a large file")
    response = answer(RequestFactory().head("/"), FileResponse(file, content_type="text/plain"))
    assert isinstance(response, HttpResponse)
    assert (response.content, response["Content-Length"], response["Content-Type"]) == (
        b"",
        "12",
        "text/plain",
    )
    assert file.closed


def test_get_is_left_as_it_is() -> None:
    response = HttpResponse(b"text")
    assert answer(RequestFactory().get("/"), response) is response
