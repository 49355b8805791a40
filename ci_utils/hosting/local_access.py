"""Lets the local `ubuntu-ci` in without any set-up."""

from __future__ import annotations

import logging

from ci_utils.api.authentication import failed_tries
from ci_utils.api.tokens import Scope, keep_token
from ci_utils.clients.credentials import save
from ci_utils.errors import ConfigurationError
from ci_utils.hosting import ports
from ci_utils.hosting.secrets import kept

log = logging.getLogger(__name__)

NAME = "local"


def grant() -> None:
    """Make the local operator's token once and leave it where this user's `ubuntu-ci` looks."""
    token = kept(ports.config().data_dir, "local-token")
    keep_token(NAME, token, [Scope.OPERATE])
    failed_tries.expect(token)
    try:
        save(ports.config().url, token)
    except ConfigurationError as error:
        # A service without a home of its own still serves; its users bring tokens.
        log.warning("ubuntu-ci gets no token by itself: %s", error)
