"""Mail, sent by the operator's mail server."""

from __future__ import annotations

import smtplib
import ssl
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate

from ci_utils.config import SMTPConfig
from ci_utils.errors import InvalidRequest, Unavailable

TIMEOUT_SECONDS = 20


def compose(*, sender: str, to: str, subject: str, body: str, delivery: str) -> EmailMessage:
    """A plain text message to one address; `delivery` makes its Message-ID, the same for every try.

    White space of the subject becomes single spaces, so that nothing of it is
    another header. Raises `InvalidRequest` if `to` is not one plain address.
    """
    message = EmailMessage(policy=SMTP)
    try:
        to.encode("ascii")
        message["To"] = Address(addr_spec=to)
        message["From"] = Address(addr_spec=sender)
    except (ValueError, IndexError, MessageError) as error:
        raise InvalidRequest(f"{to[:100]!r} or {sender[:100]!r} is not one plain email address") from error
    message["Subject"] = " ".join("".join(c if c.isprintable() else " " for c in subject).split())
    message["Date"] = formatdate()
    message["Message-ID"] = f"<{delivery}@{sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(body)
    return message


def send(message: EmailMessage, config: SMTPConfig) -> None:
    """Hand a message to the mail server.

    Raises `Unavailable` if another try can help, if only after an operator has
    mended the settings, and `InvalidRequest` if the server refuses the message
    for good.
    """
    try:
        with _connected(config) as server:
            if config.security == "starttls":
                server.starttls(context=ssl.create_default_context())
            if config.user:
                server.login(config.user, config.password)
            # Not send_message(): that writes ">From" for lines that begin with "From".
            server.sendmail(_address(message, "From"), [_address(message, "To")], message.as_bytes())
    except smtplib.SMTPAuthenticationError as error:
        raise Unavailable("UCI_SMTP_USER, UCI_SMTP_PASSWORD: the mail server refuses them") from error
    except UnicodeEncodeError:  # without its cause, which has the password
        raise Unavailable(
            "UCI_SMTP_USER, UCI_SMTP_PASSWORD, UCI_SMTP_FROM: a mail server takes them in ASCII only"
        ) from None
    except (smtplib.SMTPRecipientsRefused, smtplib.SMTPSenderRefused, smtplib.SMTPDataError) as error:
        if all(500 <= code < 600 for code in _codes(error)):
            raise InvalidRequest("the mail server refuses the message or its address for good") from error
        raise Unavailable("the mail server does not take the message now") from error
    except (OSError, smtplib.SMTPException) as error:
        raise Unavailable(f"the mail server {config.host} does not answer as one") from error


def _address(message: EmailMessage, field: str) -> str:
    return str(message[field].addresses[0].addr_spec)


def _connected(config: SMTPConfig) -> smtplib.SMTP:
    if config.security == "tls":
        context = ssl.create_default_context()
        return smtplib.SMTP_SSL(config.host, config.port, timeout=TIMEOUT_SECONDS, context=context)
    return smtplib.SMTP(config.host, config.port, timeout=TIMEOUT_SECONDS)


def _codes(error: smtplib.SMTPException) -> list[int]:
    """The answers of the server, one for each recipient or one for all."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return [code for code, _ in error.recipients.values()]
    return [int(getattr(error, "smtp_code", 0))]
