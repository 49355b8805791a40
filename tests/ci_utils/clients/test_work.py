"""What a service's answer to a request says to the one who waits."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ci_utils.clients.work import ImageBuilderClient
from tests.ci_utils.clients.test_transfers import OneRequest

ENDED = {"state": "COMPLETED", "progress_trigger": "lander-1-image", "exit": True, "image_id": "abc"}


def answered_with(answer: dict[str, Any]) -> Any:
    body = json.dumps(answer).encode()
    server = OneRequest(b"HTTP/1.1 202 Accepted\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
    try:
        return ImageBuilderClient(server.url, "secret").start({"progress_trigger": "lander-1-image"})
    finally:
        server.close()


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ({"state": "QUEUED"}, {"state": "WAITING", "message": "waiting for a worker that is free"}),
        ({"state": "RUNNING"}, None),
        (ENDED, ENDED),
    ],
)
def test_only_work_that_has_begun_is_waited_for_in_silence(answer, told):
    assert answered_with(answer) == told
