"""Logging in with OpenID Connect, against a provider on loopback."""

from __future__ import annotations

import pytest
import requests
from django.contrib.auth import get_user_model
from django.contrib.sessions.models import Session
from joserfc.jwk import RSAKey

from ci_utils.config import OpenIDConfig
from ci_utils.errors import ConfigurationError
from tests.web_ui.provider import CLIENT, SECRET, Provider, running_provider
from web_ui import backend
from web_ui.domain.users import add_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def provider(monkeypatch):
    with running_provider() as running:
        monkeypatch.setenv("UCI_OIDC_ISSUER", running.issuer)
        monkeypatch.setenv("UCI_OIDC_CLIENT_ID", CLIENT)
        monkeypatch.setenv("UCI_OIDC_CLIENT_SECRET", SECRET)
        monkeypatch.setenv("UCI_OIDC_OPERATORS", "Oscar@example.com, other@example.com")
        backend.openid_settings.cache_clear()
        yield running
    backend.openid_settings.cache_clear()


def come_back(visitor, provider: Provider, **changed: str) -> str:
    """Go to the provider and come back as a browser does; the address to come back to."""
    leaves = visitor.get("/login/openid", {"next": "/engine"})
    assert leaves.status_code == 302, leaves.content
    assert leaves["Location"].startswith(f"{provider.issuer}/authorize?")
    sent = requests.get(leaves["Location"], allow_redirects=False, timeout=60)
    return sent.headers["Location"].removeprefix("http://localhost")


def test_the_form_offers_the_provider(visitor, provider):
    assert "Log in with 127.0.0.1" in visitor.get("/login").content.decode()


def test_somebody_comes_back_logged_in(visitor, provider):
    answer = visitor.get(come_back(visitor, provider))
    assert answer["Location"] == "/engine"
    assert "dora@example.com" in visitor.get("/").content.decode()
    user = get_user_model().objects.get()
    assert (user.get_username(), user.is_staff, user.has_usable_password()) == (
        "dora@example.com",
        False,
        False,
    )


def test_operators_are_those_that_the_setting_names(visitor, provider):
    provider.claims["email"] = "OSCAR@example.com"
    visitor.get(come_back(visitor, provider))
    assert get_user_model().objects.get(username="oscar@example.com").is_staff


@pytest.mark.parametrize(
    "claims",
    [
        {"email_verified": False},
        {"email_verified": "true"},
        {"email": "no address"},
        {"email": None},
        {"nonce": "another"},
        {"aud": "somebody-else"},
        {"iss": "https://evil.example"},
        {"exp": 1},
    ],
)
def test_who_is_not_confirmed_is_not_let_in(visitor, provider, claims):
    provider.claims |= claims
    answer = visitor.get(come_back(visitor, provider))
    assert answer.status_code == 401
    assert get_user_model().objects.count() == 0


def test_a_token_that_another_key_signed_is_not_believed(visitor, provider):
    provider.key = RSAKey.generate_key(2048, {"kid": "one"})
    assert visitor.get(come_back(visitor, provider)).status_code == 401


def test_an_answer_that_nobody_asked_for_is_not_believed(visitor, provider):
    address = come_back(visitor, provider)
    visitor.cookies.clear()
    assert visitor.get(address).status_code == 401
    assert visitor.get("/login/openid/back?error=access_denied&state=x").status_code == 401


def test_a_code_works_once(visitor, provider):
    address = come_back(visitor, provider)
    assert visitor.get(address).status_code == 302
    assert visitor.get(address).status_code == 401


def test_nobody_gets_into_an_account_with_a_password(visitor, provider):
    add_user("dora@example.com", "wonderland-rabbit-42")
    answer = visitor.get(come_back(visitor, provider))
    assert answer.status_code == 409
    assert "Log out" not in visitor.get("/").content.decode()


def test_a_provider_that_is_away_is_said(visitor, provider):
    address = come_back(visitor, provider)
    provider.shutdown()
    provider.server_close()
    assert visitor.get(address).status_code == 503
    assert visitor.get("/").status_code == 200


def test_without_a_provider_there_is_no_such_way(visitor):
    assert visitor.get("/login/openid").status_code == 404
    assert not Session.objects.exists()


@pytest.mark.parametrize("missing", ["UCI_OIDC_CLIENT_ID", "UCI_OIDC_CLIENT_SECRET"])
def test_half_a_setting_is_named(missing):
    complete = {
        "UCI_OIDC_ISSUER": "https://login.example.com",
        "UCI_OIDC_CLIENT_ID": "a",
        "UCI_OIDC_CLIENT_SECRET": "b",
    }
    settings = OpenIDConfig.from_environment({k: v for k, v in complete.items() if k != missing})
    with pytest.raises(ConfigurationError, match=missing):
        settings.require_complete()
