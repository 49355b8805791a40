"""Gets an access token from Launchpad, which a person allows in a browser.

Specification: chapters "Manually setting up launchpad OAuth token" and
"Automatic creation of launchpad OAuth tokens".
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from launchpadlib import uris
from launchpadlib.credentials import Credentials
from lazr.restfulclient.errors import HTTPError

from ci_utils.archive.launchpad.errors import translated
from ci_utils.archive.launchpad.web_service import WebService
from ci_utils.config import LaunchpadConfig
from ci_utils.errors import Forbidden, TimedOut

WAIT_SECONDS = 900
POLL_SECONDS = 2.0


@dataclass(frozen=True)
class Authorisation:
    """One try: somebody must open `url` and choose what the engine may do."""

    url: str
    _credentials: Credentials
    _config: LaunchpadConfig
    _web_root: str

    def wait(self, *, seconds: float = WAIT_SECONDS, poll_seconds: float = POLL_SECONDS) -> LaunchpadConfig:
        """The settings with user and token, once it was allowed; `Forbidden` if refused, `TimedOut`."""
        until = time.monotonic() + seconds
        while not self._allowed():
            if time.monotonic() > until:
                raise TimedOut(f"nobody allowed it in Launchpad within {seconds:g} seconds; begin again")
            time.sleep(poll_seconds)
        token = self._credentials.access_token
        config = replace(self._config, token=token.key, token_secret=token.secret)
        service = WebService(config)
        try:
            return replace(config, user=service.user())
        finally:
            service.close()

    def _allowed(self) -> bool:
        with translated("access token"):
            try:
                self._credentials.exchange_request_token_for_access_token(self._web_root)
            except HTTPError as error:
                if error.response.status == 403:
                    raise Forbidden(
                        "it was refused in Launchpad; without a token nothing works there"
                    ) from None
                if error.response.status != 401:
                    raise
                return False
        return True


def begin_authorisation(config: LaunchpadConfig) -> Authorisation:
    """Ask Launchpad for a token that somebody may allow."""
    web_root = str(uris.web_root_for_service_root(config.service_root))
    credentials = Credentials(config.consumer_key)
    with translated("request token"):
        url = str(credentials.get_request_token(web_root=web_root))
    return Authorisation(url, credentials, config, web_root)
