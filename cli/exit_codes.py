"""The exit status of `ubuntu-ci`: one table for errors, `--help` and the documentation."""

from __future__ import annotations

from enum import IntEnum

from ci_utils import errors


class Exit(IntEnum):
    """What a script can tell from the exit status."""

    OK = 0
    TICKET_FAILED = 1
    USAGE = 2
    REFUSED = 3
    NOT_ALLOWED = 4
    NOT_FOUND = 5
    NO_ANSWER = 6
    TICKET_CANCELLED = 7
    ENGINE_FAILED = 8
    TIMED_OUT = 9
    INTERRUPTED = 130
    CUT_OFF = 141

    @property
    def advice(self) -> str:
        """What to do next, where that is the same for every error that ends so."""
        return _ADVICE.get(self, "")

    @property
    def meaning(self) -> str:
        """One line for people."""
        return _MEANINGS[self]


_MEANINGS = {
    Exit.OK: "done; of watch, wait and --follow: the ticket is complete",
    Exit.TICKET_FAILED: "the ticket failed",
    Exit.USAGE: "wrong options or settings",
    Exit.REFUSED: "an upload or a value was refused",
    Exit.NOT_ALLOWED: "no token, or one that does not allow this",
    Exit.NOT_FOUND: "no such ticket, or it has no such image, log or result",
    Exit.NO_ANSWER: "the ticket system does not answer",
    Exit.TICKET_CANCELLED: "the ticket was cancelled",
    Exit.ENGINE_FAILED: "the ticket system failed at this, or the output or a file could not be written",
    Exit.TIMED_OUT: "the ticket has not ended in the time of --timeout",
    Exit.INTERRUPTED: "interrupted from the keyboard",
    Exit.CUT_OFF: "the reader of the output went away before the ticket ended or all files were here",
}

#: What to do about an error that the sentence of the engine cannot know.
_ADVICE = {
    Exit.NOT_ALLOWED: "put a token of this engine into UCI_TOKEN, or into a file that UCI_TOKEN_FILE names; "
    "an operator makes one with: uci-engine token create NAME",
    Exit.NO_ANSWER: "is it running? try again later, start one with: uci-engine run, "
    "or name another with -u URL or in UCI_URL",
}

#: Subclasses stand before their parents.
_OF_ERRORS: tuple[tuple[type[errors.CIError], Exit], ...] = (
    (errors.ConfigurationError, Exit.USAGE),
    (errors.InvalidRequest, Exit.REFUSED),
    (errors.Conflict, Exit.REFUSED),
    (errors.Unauthenticated, Exit.NOT_ALLOWED),
    (errors.Forbidden, Exit.NOT_ALLOWED),
    (errors.NotFound, Exit.NOT_FOUND),
    (errors.TooManyRequests, Exit.NO_ANSWER),
    (errors.Untrusted, Exit.USAGE),
    (errors.Unavailable, Exit.NO_ANSWER),
    (errors.TimedOut, Exit.TIMED_OUT),
    (errors.StageFailed, Exit.TICKET_FAILED),
    (errors.Cancelled, Exit.TICKET_CANCELLED),
)


def exit_of(error: errors.CIError) -> Exit:
    """The exit status for an error."""
    return next((code for kind, code in _OF_ERRORS if isinstance(error, kind)), Exit.ENGINE_FAILED)


def exit_table() -> str:
    """All codes with their meanings, one a line."""
    return "\n".join(f"  {code.value:>3}  {code.meaning}" for code in Exit)
