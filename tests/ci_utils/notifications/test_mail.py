"""Mail by a real SMTP server, and what no mail can be made to say."""

from __future__ import annotations

import dataclasses

import pytest

from ci_utils.config import SMTPConfig, WebhookConfig
from ci_utils.errors import ConfigurationError, InvalidRequest, Unavailable
from ci_utils.notifications import mail
from tests.ci_utils.notifications.servers import SENDER, mail_server


def message(**changed: str):
    fields = {"sender": SENDER, "to": "alice@example.com", "subject": "s", "body": "b", "delivery": "1-2"}
    return mail.compose(**{**fields, **changed})


def test_a_message_arrives_as_it_was_written():
    with mail_server() as (mailbox, config):
        mail.send(message(subject="Grüße: hello landed", body="Grüße,\n.\nFrom here\n"), config)
    [(recipients, came)] = mailbox.messages
    assert recipients == ["alice@example.com"]
    assert (came["To"], came["From"]) == ("alice@example.com", SENDER)
    assert came["Subject"] == "Grüße: hello landed"
    assert came["Message-ID"] == "<1-2@ci.example.com>"
    assert came["Auto-Submitted"] == "auto-generated"
    assert came.get_content().splitlines() == ["Grüße,", ".", "From here"]


@pytest.mark.parametrize(
    "subject",
    [
        "a\nBcc: eve@example.com",
        "a\r\nBcc: eve@example.com\r\n\r\nbody",
        "a\r\n\r\nbody",
        "a\0\x1b\u2028Bcc: eve@example.com",
        "x" * 5000 + "\nBcc: eve@example.com",
    ],
)
def test_nothing_in_a_subject_is_another_header_or_recipient(subject):
    with mail_server() as (mailbox, config):
        mail.send(message(subject=subject), config)
    [(recipients, came)] = mailbox.messages
    assert recipients == ["alice@example.com"]
    assert came["Bcc"] is None
    assert "body" not in came.get_content()


@pytest.mark.parametrize(
    "to",
    [
        "a@example.com, eve@example.com",
        "a@example.com\r\nBcc: eve@example.com",
        "a@example.com\r\nRCPT TO:<eve@example.com>",
        "eve@example.com a@example.com",
        "Alice <a@example.com>",
        "a,eve@example.com",
        "nobody",
        "älice@example.com",
        "@",
        "",
    ],
)
def test_what_is_not_one_plain_address_gets_no_mail(to):
    with pytest.raises(InvalidRequest, match="not one plain email address"):
        message(to=to)


def test_a_login_is_sent_and_a_wrong_one_tried_again_later():
    with mail_server(password="secret") as (mailbox, config):
        mail.send(message(), config)
        with pytest.raises(Unavailable, match="UCI_SMTP_PASSWORD: the mail server refuses them") as refused:
            mail.send(message(), dataclasses.replace(config, password="wrong-one"))
    assert len(mailbox.messages) == 1
    assert "wrong-one" not in refused.value.message


@pytest.mark.parametrize("changed", [{"password": "geheimnißvoll"}, {"user": "enginé"}])
def test_a_login_that_mail_servers_cannot_be_told_is_tried_again_later(changed):
    wrong = pytest.raises(Unavailable, match=r"UCI_SMTP_PASSWORD, UCI_SMTP_FROM: .* in ASCII only")
    with mail_server(password="secret") as (_, config), wrong:
        mail.send(message(), dataclasses.replace(config, **changed))


@pytest.mark.parametrize(
    ("answer", "error"), [("450 busy", Unavailable), ("550 no such user", InvalidRequest)]
)
def test_a_refusal_for_now_and_one_for_good_are_told_apart(answer, error):
    with mail_server() as (mailbox, config):
        mailbox.answers = [answer]
        with pytest.raises(error):
            mail.send(message(), config)


def test_a_server_that_is_away_or_has_no_tls_is_tried_again_later():
    with mail_server() as (mailbox, config):
        for security in ("starttls", "tls"):
            with pytest.raises(Unavailable, match="does not answer as one"):
                mail.send(message(), dataclasses.replace(config, security=security))
    with pytest.raises(Unavailable, match="does not answer as one"):
        mail.send(message(), config)
    assert mailbox.messages == []


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        ({"UCI_SMTP_HOST": "mail.example.com"}, "UCI_SMTP_FROM"),
        (
            {"UCI_SMTP_HOST": "mail.example.com", "UCI_SMTP_FROM": "a@b.c", "UCI_SMTP_USER": "a"},
            "UCI_SMTP_SECURITY",
        ),
        ({"UCI_SMTP_PORT": "x"}, "UCI_SMTP_PORT"),
    ],
)
def test_wrong_settings_of_mail_are_named(environment, named):
    with pytest.raises(ConfigurationError, match=f"^{named}: "):
        SMTPConfig.from_environment(environment)


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        ({"UCI_WEBHOOK_URLS": "http://a.example"}, "UCI_WEBHOOK_SECRET"),
        ({"UCI_WEBHOOK_URLS": "ftp://a.example", "UCI_WEBHOOK_SECRET": "x"}, "UCI_WEBHOOK_URLS"),
    ],
)
def test_wrong_settings_of_webhooks_are_named(environment, named):
    with pytest.raises(ConfigurationError, match=f"^{named}: "):
        WebhookConfig.from_environment(environment)


def test_several_webhooks_are_separated_by_spaces_or_commas():
    urls = "http://a.example/x, http://b.example\n http://a.example/x"
    config = WebhookConfig.from_environment({"UCI_WEBHOOK_URLS": urls, "UCI_WEBHOOK_SECRET": "x"})
    assert config.urls == ("http://a.example/x", "http://b.example")
