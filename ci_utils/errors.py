"""One tree of errors for every service and adapter.

An error's message is one sentence that is safe to show to anybody: it names
the thing that is wrong and what to do about it, never a secret or a path of
the host. Detail for operators goes to the log. Whether a retry can help is a
fact of the error (`retryable`), not a guess of the caller.
"""

from __future__ import annotations

from typing import ClassVar


class CIError(Exception):
    """Root of all errors that the engine raises on purpose."""

    retryable: ClassVar[bool] = False
    http_status: ClassVar[int] = 500

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class ConfigurationError(CIError):
    """A setting is missing, misnamed or has a wrong value; names the setting."""


class InvalidRequest(CIError):
    """The request is malformed: names the field and what it should hold."""

    http_status = 400


class RangeNotSatisfiable(InvalidRequest):
    """The part of a file that is asked for lies behind its end; an empty file has no parts at all."""

    http_status = 416


class UploadRejected(InvalidRequest):
    """A source upload is not acceptable: names the file or package."""


class Unauthenticated(CIError):
    """No token, or one that is not known."""

    http_status = 401


class Forbidden(CIError):
    """The token is known but does not allow this."""

    http_status = 403


class NotFound(CIError):
    """There is nothing under this name or number that the caller may see."""

    http_status = 404


class NoFreeArchive(NotFound):
    """Every archive of the pool is in use; one becomes free when a ticket ends."""

    retryable = True


class Conflict(CIError):
    """The request contradicts the present state (already done, wrong state)."""

    http_status = 409


class TooManyRequests(CIError):
    """The caller asks more often than is allowed; `retry_after` says how many seconds to wait, if known."""

    http_status = 429
    retryable = True

    def __init__(self, message: str, *, retry_after: int = 0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Unavailable(CIError):
    """Another service, a tool or a server does not answer; trying again can help."""

    http_status = 503
    retryable = True


class Untrusted(Unavailable):
    """The certificate of a server is not trusted: an engine asks again until it is, people need not."""


class ToolMissing(CIError):
    """A program that the engine calls is not installed; names its Debian package."""


class ToolFailed(CIError):
    """A program that the engine calls ended with an error.

    `output` holds the end of what it printed, for the operators' log only.
    """

    def __init__(self, message: str, *, output: str = "") -> None:
        super().__init__(message)
        self.output = output
        if output:
            self.add_note(output)  # a traceback in the log shows it, the message does not


class TimedOut(CIError):
    """A step took longer than its limit allows."""


class StageFailed(CIError):
    """A stage of a ticket failed for a reason that the ticket's owner can mend.

    `result` is what the stage leaves behind all the same (log URLs, artifacts),
    as in the completed case.
    """

    def __init__(self, message: str, *, result: dict[str, object] | None = None) -> None:
        super().__init__(message)
        self.result = result or {}


class Cancelled(CIError):
    """The work was cancelled by its owner or an operator."""


class Unresponsive(CIError):
    """A service sent no progress for as long as ten updates may take."""
