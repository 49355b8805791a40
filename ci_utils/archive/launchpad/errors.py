"""What goes wrong in Launchpad's web service, as errors of the engine.

The only places that see the library's exceptions are here and `web_service`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import httplib2
from lazr.restfulclient import errors as restful

from ci_utils.errors import CIError, ConfigurationError, Forbidden, InvalidRequest, NotFound, Unavailable

logger = logging.getLogger(__name__)

#: How Launchpad begins its answer when it is the token that it does not accept.
BAD_TOKEN = (
    "Expired token",
    "Invalid token",
    "Unknown access token",
    "Unknown consumer",
    "Invalid signature",
)
REASON_CHARACTERS = 300


class RefusedByLaunchpad(InvalidRequest):
    """Launchpad says that it will not do this; the text is its reason."""


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Raise the engine's errors for the library's; `what` is the thing asked for, in words."""
    try:
        yield
    except CIError:
        raise
    except restful.HTTPError as error:
        logger.info("Launchpad answered %s about %s: %s", error.response.status, what, reason(error))
        raise _of_answer(error, what) from None
    except (restful.RestfulError, httplib2.HttpLib2Error, OSError) as error:
        logger.warning("Launchpad cannot be asked about %s: %s", what, type(error).__name__)
        raise Unavailable(
            "Launchpad does not answer; see to the network, and to UCI_LAUNCHPAD_API if it is set"
        ) from None
    except Exception:
        # The library believes every answer: a page of a proxy can end as anything, such as an attribute
        # that is not there, and nothing of that must leave this package.
        logger.exception("Launchpad's answer about %s makes no sense", what)
        raise Unavailable(
            "what answers for Launchpad is not its web service; see to the network, and to "
            "UCI_LAUNCHPAD_API if it is set"
        ) from None


def reason(error: restful.HTTPError) -> str:
    """Launchpad's own words, in one line and of a bearable length."""
    content = error.content if isinstance(error.content, str) else error.content.decode(errors="replace")
    return " ".join(content.split())[:REASON_CHARACTERS]


def _of_answer(error: restful.HTTPError, what: str) -> CIError:
    status, words = int(error.response.status), reason(error)
    if status == 401 and words.startswith(BAD_TOKEN):
        return ConfigurationError(
            "CI_OAUTH_TOKEN: Launchpad does not accept the token or its secret; "
            "make a new one with: uci-engine launchpad-credentials"
        )
    if status in (401, 403):
        return Forbidden(f"the user of CI_LAUNCHPAD_USER may not do this with {what} in Launchpad")
    if status in (404, 410):
        return NotFound(f"Launchpad has no {what}")
    if status == 429 or status >= 500:
        return Unavailable(f"Launchpad cannot answer now (status {status}); it is asked again later")
    return RefusedByLaunchpad(words or f"Launchpad refused it with status {status}")
