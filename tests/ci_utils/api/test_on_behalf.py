"""A service asks on behalf of a person; nobody else can."""

from __future__ import annotations

import pytest
from django.conf import settings
from django.test import Client

from ci_utils.api.tokens import Scope, create_token
from ci_utils.clients.base import ServiceClient
from ci_utils.clients.on_behalf import carried_by, on_behalf_of
from ci_utils.errors import Forbidden, InvalidRequest, NotFound
from ci_utils.hosting.in_process import InProcess
from ticket_system.models import Ticket

pytestmark = pytest.mark.django_db

URL = "http://localhost"


def asking(token: str, name: str, *scopes: str) -> ServiceClient:
    return on_behalf_of(carried_by(ServiceClient(URL, token), InProcess(), URL), name, scopes)


@pytest.fixture
def private_ticket() -> Ticket:
    return Ticket.objects.create(owner="a@example.com", title="Quokka", private=True, submitter="alice smith")


@pytest.fixture
def service_token() -> str:
    return str(settings.UCI.service_token)


def test_the_person_sees_what_that_person_may_see(service_token, private_ticket):
    path = f"ticket/{private_ticket.pk}/"
    assert asking(service_token, "alice smith", "submit").get(path)["title"] == "Quokka"
    assert asking(service_token, "oscar", "operate").get(path)["title"] == "Quokka"
    for name in ("bob", "", "alice"):
        with pytest.raises(NotFound):
            asking(service_token, name, "submit").get(path)


def test_the_person_may_do_what_that_person_may_do(service_token, private_ticket):
    path = f"updateticketstatus/{private_ticket.pk}/"
    with pytest.raises(Forbidden, match="people may only queue"):
        asking(service_token, "alice smith", "submit").patch(path, {"current_workflow_step": "1000"})


@pytest.mark.parametrize("scopes", ["service", "submit,service", "nonsense"])
def test_nobody_becomes_a_service_that_way(service_token, scopes):
    with pytest.raises(InvalidRequest):
        asking(service_token, "alice", *scopes.split(",")).get("ticket/")


@pytest.mark.parametrize("scope", [Scope.READ, Scope.SUBMIT, Scope.OPERATE])
def test_other_tokens_cannot_ask_for_others(scope, private_ticket):
    token = create_token("mallory", [scope])
    with pytest.raises(Forbidden):
        asking(token, "alice smith", "submit").get(f"ticket/{private_ticket.pk}/")


def test_without_a_token_the_headers_mean_nothing(private_ticket):
    headers = {"UCI-Principal": "alice%20smith", "UCI-Scopes": "operate"}
    answer = Client(SERVER_NAME="localhost").get(f"/api/v1/ticket/{private_ticket.pk}/", headers=headers)
    assert answer.status_code == 404
