"""People who look at pages, without a server: pages ask the API in this very process."""

from __future__ import annotations

import shutil

import pytest
from django.contrib.auth import get_user_model
from django.test import Client

from ci_utils.hosting import ports
from ticket_system.models import Ticket


@pytest.fixture(autouse=True)
def _quick_passwords(settings):
    """The real way to keep passwords takes long on purpose."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def visitor(db: None) -> Client:
    """Somebody who is not logged in."""
    return Client(SERVER_NAME="localhost", enforce_csrf_checks=True)


@pytest.fixture
def alice(db: None) -> Client:
    """A logged-in user."""
    return _logged_in("alice")


@pytest.fixture
def bob(db: None) -> Client:
    """Another one."""
    return _logged_in("bob")


@pytest.fixture
def oscar(db: None) -> Client:
    """An operator."""
    return _logged_in("oscar", is_staff=True)


@pytest.fixture(autouse=True)
def _without_files():
    """What tickets leave in the data store goes when the database forgets them."""
    yield
    for container in (ports.config().data_dir / "data-store").glob("ticket.*"):
        shutil.rmtree(container)


def _logged_in(name: str, **fields: bool) -> Client:
    user, _ = get_user_model().objects.get_or_create(username=name, defaults=fields)
    client = Client(SERVER_NAME="localhost")
    client.force_login(user)
    return client


def page_of(client: Client, ticket: Ticket) -> str:
    """The page of a ticket."""
    answer = client.get(f"/ticket/{ticket.pk}")
    assert answer.status_code == 200, answer.content
    return answer.content.decode()
