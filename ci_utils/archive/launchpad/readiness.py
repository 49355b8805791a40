"""Whether archives in Launchpad can be used: the settings, dput, the token, the archives."""

from __future__ import annotations

import shutil

from ci_utils.archive.launchpad.web_service import WebService
from ci_utils.config import LaunchpadConfig
from ci_utils.errors import ConfigurationError, NotFound

#: The owner of an engine that nobody configured.
NO_OWNER = "local"


def check_settings(config: LaunchpadConfig, owner: str) -> None:
    """Raise `ConfigurationError` for a setting that is missing, and without dput."""
    for name, value in (
        ("CI_LAUNCHPAD_USER", config.user),
        ("CI_LAUNCHPAD_PPA_OWNER", owner.replace(NO_OWNER, "")),
        ("CI_OAUTH_TOKEN", config.token),
        ("CI_OAUTH_TOKEN_SECRET", config.token_secret),
    ):
        if not value:
            raise ConfigurationError(f"{name} is not set; UCI_ARCHIVES=launchpad needs it")
    if shutil.which("dput") is None:
        raise ConfigurationError("UCI_ARCHIVES: launchpad needs dput; install it with: apt-get install dput")


def check_launchpad(service: WebService, user: str, owner: str, destination: str) -> None:
    """Raise `ConfigurationError` unless the token is the user's and the destination is there."""
    login = service.user()
    if login != user:
        raise ConfigurationError(f"CI_LAUNCHPAD_USER is {user}, but CI_OAUTH_TOKEN is a token of {login}")
    try:
        service.archives_of(owner)
    except NotFound:
        raise ConfigurationError(f"CI_LAUNCHPAD_PPA_OWNER: Launchpad has no {owner}") from None
    try:
        service.require_archive(destination)
    except NotFound:
        raise ConfigurationError(
            f"UCI_DESTINATION_ARCHIVE: Launchpad has no {destination}; make it, or set another name"
        ) from None
