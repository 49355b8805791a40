"""Owners and webhooks hear of the end of tickets."""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import json
from collections.abc import Iterator

import pytest
from django.db import transaction

from ci_utils.config import WebhookConfig
from tests.ci_utils.notifications.servers import Hook, Mailbox, mail_server, webhook_server
from ticket_system import worker
from ticket_system.domain import notifications
from ticket_system.models import Delivery, Ticket

COMPLETE = {"current_workflow_step": "1000"}
FAILED = {"current_workflow_step": "999", "status": "999", "message": "hello failed to build"}
SECRET = "the key of the webhooks"


@pytest.fixture
def mailbox(settings) -> Iterator[Mailbox]:
    with mail_server() as (mailbox, config):
        settings.SMTP = config
        yield mailbox


@pytest.fixture
def hook(settings) -> Iterator[Hook]:
    with webhook_server() as hook:
        settings.WEBHOOKS = WebhookConfig(urls=(hook.url,), secret=SECRET)
        yield hook


@pytest.fixture
def end(submission, service):
    """Ends a new ticket with these fields by a report; its number."""

    def end(report=COMPLETE, **fields) -> int:
        ticket_id: int = submission.queued(**fields)
        assert service.patch(f"updateticketstatus/{ticket_id}/", report).status_code == 200
        return ticket_id

    return end


def come_due() -> None:
    """As if the pause of all that is tried again were over."""
    Delivery.objects.update(due_at="2000-01-01T00:00Z")


def test_the_owner_gets_one_mail_that_says_how_the_ticket_ended(mailbox, end):
    ticket_id = end(FAILED, title="Greet", owner="carol@example.com")
    for _ in range(3):
        worker.deliver_notifications()
    [(recipients, message)] = mailbox.messages
    assert recipients == ["carol@example.com"]
    assert message["Subject"] == f"ticket {ticket_id} Failed at Queued: Greet"
    text = message.get_content()
    assert "hello failed to build" in text
    assert "source: hello 2.10-4" in text
    assert f"ubuntu-ci status {ticket_id}" in text


def test_a_webhook_gets_one_signed_call_with_the_ticket(hook, end):
    ticket_id = end(title="Grüße")
    for _ in range(3):
        worker.deliver_notifications()
    [(headers, body)] = hook.calls
    expected = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    assert headers["UCI-Signature-256"] == f"sha256={expected}"
    assert headers["UCI-Event"] == "ticket.ended"
    told = json.loads(body)
    assert told["delivery"] == headers["UCI-Delivery"] == str(Delivery.objects.get().key)
    assert told["ticket"]["id"] == ticket_id
    assert (told["ticket"]["title"], told["ticket"]["state"]) == ("Grüße", "Complete")
    assert told["ticket"]["sources"] == [{"source": "hello", "version": "2.10-4"}]
    assert "Authorization" not in headers


def test_a_cancelled_ticket_is_told_of_too(mailbox, submission, lander):
    ticket_id = submission.uploaded()
    submission.client.post(f"ticket/{ticket_id}/cancel/", {})
    worker.deliver_notifications()
    assert mailbox.messages[0][1]["Subject"].startswith(f"ticket {ticket_id} Cancelled")


def test_nothing_is_told_before_the_end_or_without_settings(submission, service, end):
    end()
    assert not Delivery.objects.exists()


def test_a_ticket_that_goes_on_is_not_told_of(mailbox, hook, submission, service):
    ticket_id = submission.queued()
    service.patch(f"updateticketstatus/{ticket_id}/", {"current_workflow_step": "300"})
    assert not Delivery.objects.exists()


def test_a_repeated_end_is_told_once(hook, end, service):
    ticket_id = end()
    service.patch(f"updateticketstatus/{ticket_id}/", COMPLETE)
    assert Delivery.objects.count() == 1


def test_a_private_ticket_is_told_of_to_its_owner_only(mailbox, hook, end):
    end(private=True, title="embargoed")
    worker.deliver_notifications()
    assert [recipients for recipients, _ in mailbox.messages] == [["alice@example.com"]]
    assert hook.calls == []


def test_what_is_to_be_told_is_written_with_the_end_or_neither_is(hook, submission):
    from ticket_system.domain.progress import Report, move_ticket
    from ticket_system.models import WorkflowStep

    ticket = Ticket.objects.get(pk=submission.queued())
    with transaction.atomic():
        move_ticket(ticket, Report(step=WorkflowStep.COMPLETE))
        assert Delivery.objects.count() == 1
        transaction.set_rollback(True)
    assert not Delivery.objects.exists()
    assert Ticket.objects.get().step is WorkflowStep.QUEUED


@pytest.mark.parametrize("status", [500, 404, 302])
def test_a_webhook_that_does_not_take_it_is_called_again_under_the_same_key(hook, end, status, monkeypatch):
    monkeypatch.setattr(notifications, "FIRST_PAUSE", notifications.LONGEST_PAUSE)
    hook.statuses = [status, status]
    end()
    worker.deliver_notifications()
    worker.deliver_notifications()
    assert len(hook.calls) == 1  # its pause is not over
    for _ in range(4):
        come_due()
        worker.deliver_notifications()
    assert len(hook.calls) == 3
    assert len({headers["UCI-Delivery"] for headers, _ in hook.calls}) == 1
    assert len({body for _, body in hook.calls}) == 1


def test_pauses_grow_and_tries_end(hook, end):
    hook.statuses = [500] * 100
    end()
    pauses = []
    for _ in range(notifications.MAX_ATTEMPTS + 3):
        come_due()
        before = Delivery.objects.get()
        worker.deliver_notifications()
        after = Delivery.objects.get()
        if after.attempts > before.attempts:
            pauses.append(min(notifications.FIRST_PAUSE * 2**before.attempts, notifications.LONGEST_PAUSE))
    assert pauses == sorted(pauses)
    assert len(hook.calls) == notifications.MAX_ATTEMPTS
    assert Delivery.objects.get().ended_at
    assert Delivery.objects.get().failure == "the webhook answered with status 500"


def test_a_try_that_nobody_ended_is_made_again(hook, end, monkeypatch):
    """As after an engine that was killed while it called the webhook."""
    end()
    with monkeypatch.context() as patched:
        patched.setattr(notifications, "_try", lambda *_: None)
        worker.deliver_notifications()
    assert hook.calls == []
    come_due()
    worker.deliver_notifications()
    assert len(hook.calls) == 1


def test_two_workers_do_not_make_the_same_try(hook, end):
    end()
    first, second = Delivery.objects.get(), Delivery.objects.get()
    assert notifications._claimed(first)
    assert not notifications._claimed(second)


def test_a_webhook_that_is_away_holds_up_nobody_else(mailbox, settings, end):
    settings.WEBHOOKS = WebhookConfig(urls=("http://127.0.0.1:1/",), secret=SECRET)
    end()
    worker.deliver_notifications()
    assert len(mailbox.messages) == 1
    assert Delivery.objects.get(kind="WEBHOOK").failure == "the webhook does not answer"


def test_a_password_that_cannot_be_sent_holds_up_nobody_else(settings, hook, end):
    with mail_server(password="secret") as (_, config):
        settings.SMTP = dataclasses.replace(config, password="geheimnißvoll")
        end()
        worker.deliver_notifications()
    assert len(hook.calls) == 1
    assert "UCI_SMTP_PASSWORD" in Delivery.objects.get(kind="MAIL").failure


def test_an_unexpected_error_holds_up_nobody_else_and_is_given_up_in_the_end(hook, end, caplog):
    end()
    end(title="another")

    def fail_for_the_first(delivery: Delivery) -> None:
        if delivery.ticket == Ticket.objects.earliest("id"):
            raise ValueError("unexpected")

    for _ in range(notifications.MAX_ATTEMPTS + 3):
        notifications.deliver_due(senders={"WEBHOOK": fail_for_the_first})
        come_due()
    bad, good = Delivery.objects.order_by("ticket_id")
    assert (good.attempts, good.failure) == (1, "")
    assert (bad.attempts, bad.failure) == (notifications.MAX_ATTEMPTS, "an unexpected error; see the log")
    assert bad.ended_at
    assert "ValueError: unexpected" in caplog.text


def test_what_was_tried_too_often_already_is_tried_once_more_and_given_up(hook, end):
    hook.statuses = [500] * 3
    end()
    Delivery.objects.update(attempts=100)
    for _ in range(3):
        come_due()
        worker.deliver_notifications()
    assert len(hook.calls) == 1
    assert Delivery.objects.get().ended_at


def test_a_webhook_that_was_taken_out_of_the_settings_is_not_called(hook, end, settings):
    end()
    settings.WEBHOOKS = WebhookConfig(urls=(), secret="")
    worker.deliver_notifications()
    assert hook.calls == []
    assert Delivery.objects.get().ended_at


def test_an_address_that_the_server_refuses_for_good_is_given_up(mailbox, end):
    mailbox.answers = ["550 no such user"]
    end()
    for _ in range(2):
        worker.deliver_notifications()
        come_due()
    assert Delivery.objects.get().attempts == 1
    assert mailbox.messages == []
