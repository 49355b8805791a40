"""schemathesis asks everything that the description offers, rightly and wrongly.

No answer is a 500, and none is other than described. `make fuzz-api` asks far more.
"""

from __future__ import annotations

import os
from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

from ci_utils.api.authentication import failed_tries
from ci_utils.api.tokens import Scope, create_token
from ci_utils.hosting import openapi
from ci_utils.hosting.wsgi import application

EXAMPLES = int(os.environ.get("API_EXAMPLES", "5"))

pytestmark = [pytest.mark.django_db, pytest.mark.slow, pytest.mark.timeout(max(900, EXAMPLES * 2))]

schema = schemathesis.openapi.from_wsgi(openapi.PATH, application)


@schema.hook
def map_path_parameters(_: Any, path_parameters: dict[str, Any] | None) -> dict[str, Any] | None:
    """Numbers mostly name something that is there."""
    number = (path_parameters or {}).get("pk")
    if path_parameters and isinstance(number, int) and 0 < number < 10**18:
        path_parameters["pk"] = number % 4
    return path_parameters


@pytest.fixture(autouse=True)
def _one_connection():
    """Requests stay in the test's transaction, as with Django's own test client."""
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    yield
    for signal in signals:
        signal.connect(close_old_connections)


@pytest.fixture
def headers(private_ticket: Any) -> dict[str, str]:
    """Of somebody who may do everything: what is refused, is refused for what it says."""
    token = create_token("fuzz", [Scope.SUBMIT, Scope.OPERATE, Scope.SERVICE])
    return {"Authorization": f"Bearer {token}"}


@schema.parametrize()
@settings(
    max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), derandomize=EXAMPLES < 100
)
def test_every_answer_is_as_described(case: schemathesis.Case[Any], headers: dict[str, str]) -> None:
    failed_tries.forget()  # schemathesis shows wrong tokens, too
    # What a schema cannot say (a signature, a version, a URL of the data store) is refused all the same.
    case.call_and_validate(headers=headers, excluded_checks=[positive_data_acceptance])
