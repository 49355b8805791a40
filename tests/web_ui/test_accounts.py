"""Logging in with a password: who may, how often, and where it leads."""

from __future__ import annotations

import re
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.test import Client, override_settings

from ci_utils.config import Config
from ci_utils.errors import TooManyRequests
from ci_utils.hosting.page_settings import page_settings
from web_ui.domain.login_throttle import SECONDS_PER_TRY, TRIES_OF_ADDRESS, LoginThrottle
from web_ui.domain.users import add_user
from web_ui.views import accounts

pytestmark = pytest.mark.django_db

PASSWORD = "wonderland-rabbit-42"


@pytest.fixture(autouse=True)
def _no_earlier_tries(monkeypatch):
    """Nor do tries come back while a test runs, however long that takes."""
    accounts.throttle.forget()
    monkeypatch.setattr(accounts.throttle, "_clock", lambda: 0.0)


@pytest.fixture
def carol() -> str:
    add_user("carol", PASSWORD)
    return "carol"


def log_in(client: Client, name: str, password: str = PASSWORD, **fields: str):
    """What a browser does: fetch the form, send it with its token."""
    form = client.get("/login").content.decode()
    token = re.findall(r'name="csrfmiddlewaretoken" value="([^"]+)"', form)[-1]
    data = {"name": name, "password": password, "csrfmiddlewaretoken": token, **fields}
    return client.post("/login", data)


def test_a_name_that_no_database_takes_is_a_wrong_one(visitor):
    answer = log_in(visitor, "no\0body")
    assert answer.status_code == 401
    assert b"\0" not in answer.content


def test_the_right_password_logs_in_and_out(visitor, carol):
    assert log_in(visitor, carol).status_code == 302
    page = visitor.get("/").content.decode()
    assert "carol" in page
    token = re.findall(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)[-1]
    assert visitor.post("/logout", {"csrfmiddlewaretoken": token}).status_code == 302
    assert "carol" not in visitor.get("/").content.decode()


@pytest.mark.parametrize(("name", "password"), [("carol", "wrong"), ("nobody", PASSWORD), ("", "")])
def test_anything_else_does_not_and_says_no_more_than_that(visitor, carol, name, password):
    answer = log_in(visitor, name, password)
    assert answer.status_code == 401
    assert "name and password do not belong together" in answer.content.decode()
    assert PASSWORD not in answer.content.decode()


def test_a_log_in_needs_the_form(visitor, carol):
    assert visitor.post("/login", {"name": carol, "password": PASSWORD}).status_code == 403


@pytest.mark.parametrize(
    ("following", "leads_to"),
    [
        ("/ticket/7?x=1", "/ticket/7?x=1"),
        ("https://evil.example/", "/"),
        ("//evil.example/", "/"),
        ("/\\evil.example/", "/"),
        ("\\\\evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("ticket/7", "/"),
        ("", "/"),
    ],
)
def test_it_leads_on_within_the_pages_only(visitor, carol, following, leads_to):
    assert log_in(visitor, carol, next=following)["Location"] == leads_to


def test_a_session_is_another_one_after_the_log_in(visitor, carol):
    visitor.cookies["uci-session"] = "planted-by-somebody"
    log_in(visitor, carol)
    cookie = visitor.cookies["uci-session"]
    assert cookie.value != "planted-by-somebody"
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
    assert 0 < cookie["max-age"] <= 12 * 3600


def test_guessing_is_slowed_down_even_for_the_right_password(visitor, carol):
    for _ in range(TRIES_OF_ADDRESS):
        assert log_in(visitor, carol, "wrong").status_code == 401
    answer = log_in(visitor, carol)
    assert answer.status_code == 429
    assert int(answer["Retry-After"]) > 0


def test_tries_come_back_with_time_and_right_ones_cost_nothing():
    now = [0.0]
    throttle = LoginThrottle(clock=lambda: now[0])
    for _ in range(100):
        throttle.admit("192.0.2.1", "alice")
        throttle.succeeded("192.0.2.1", "alice")
    for _ in range(TRIES_OF_ADDRESS):
        throttle.admit("192.0.2.1", "alice")
    with pytest.raises(TooManyRequests):
        throttle.admit("192.0.2.1", "bob")
    throttle.admit("192.0.2.2", "alice")
    now[0] += SECONDS_PER_TRY
    throttle.admit("192.0.2.1", "bob")
    with pytest.raises(TooManyRequests):
        throttle.admit("192.0.2.1", "bob")


def test_one_name_from_everywhere_is_slowed_down_too():
    throttle = LoginThrottle(clock=lambda: 0.0)
    for number in range(30):
        throttle.admit(f"192.0.2.{number}", "alice")
    with pytest.raises(TooManyRequests):
        throttle.admit("192.0.2.99", "Alice")
    throttle.admit("192.0.2.99", "bob")


def test_cookies_are_for_https_only_where_people_come_by_https():
    secure = page_settings(Config.from_environment({"UCI_PUBLIC_URL": "https://ci.example.com"}))
    assert secure["SESSION_COOKIE_SECURE"]
    assert secure["CSRF_COOKIE_SECURE"]
    assert secure["SESSION_COOKIE_NAME"].startswith("__Host-")
    assert secure["CSRF_TRUSTED_ORIGINS"] == ["https://ci.example.com"]
    assert not page_settings(Config.from_environment({}))["SESSION_COOKIE_SECURE"]


@override_settings(CSRF_TRUSTED_ORIGINS=["https://ci.example.com"])
def test_forms_work_behind_a_proxy_that_speaks_https(visitor, carol):
    form = visitor.get("/login").content.decode()
    token = re.findall(r'name="csrfmiddlewaretoken" value="([^"]+)"', form)[-1]
    data = {"name": carol, "password": PASSWORD, "csrfmiddlewaretoken": token}
    foreign = visitor.post("/login", data, headers={"origin": "https://evil.example"})
    assert foreign.status_code == 403
    assert visitor.post("/login", data, headers={"origin": "https://ci.example.com"}).status_code == 302


class TestCommand:
    def call(self, *arguments: str) -> str:
        output = StringIO()
        call_command("user", *arguments, stdout=output)
        return output.getvalue()

    @pytest.fixture
    def password(self, tmp_path):
        path = tmp_path / "password"
        path.write_text(f"{PASSWORD}\n")
        return str(path)

    def test_adds_lists_and_removes(self, password, visitor):
        self.call("add", "dora", "--password-file", password, "--operator")
        assert self.call("list") == "dora\toperator\tpassword\n"
        assert log_in(visitor, "dora").status_code == 302
        self.call("remove", "dora")
        assert "dora" not in visitor.get("/").content.decode()

    def test_another_password_ends_sessions(self, password, visitor, carol, tmp_path):
        log_in(visitor, carol)
        other = tmp_path / "other"
        other.write_text("looking-glass-43")
        self.call("password", "carol", "--password-file", str(other))
        assert "carol" not in visitor.get("/").content.decode()
        assert log_in(visitor, carol).status_code == 401

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (("add", "carol", "--password-file", "PASSWORD"), "there is a user 'carol' already"),
            (("add", "c<b>", "--password-file", "PASSWORD"), "valid username"),
            (("add", "dora", "--password-file", "/nonexistent"), "cannot be read"),
            (("remove", "nobody"), "there is no user 'nobody'"),
        ],
    )
    def test_says_what_is_wrong(self, password, carol, arguments, said):
        with pytest.raises(CommandError, match=said):
            self.call(*(password if argument == "PASSWORD" else argument for argument in arguments))

    def test_refuses_passwords_that_are_easy_to_guess(self, tmp_path):
        easy = tmp_path / "easy"
        easy.write_text("password")
        with pytest.raises(CommandError, match="too common"):
            self.call("add", "dora", "--password-file", str(easy))
