"""The settings of archives in Launchpad."""

from __future__ import annotations

from dataclasses import dataclass

from ci_utils.config.settings import Settings, setting
from ci_utils.config.values import text, url, whole_number


@dataclass(frozen=True, kw_only=True)
class LaunchpadConfig(Settings):
    """Launchpad PPAs (UCI_ARCHIVES=launchpad)."""

    user: str = setting(
        "CI_LAUNCHPAD_USER", text, "", "Launchpad login that the engine works as; may upload to the PPAs."
    )
    consumer_key: str = setting(
        "CI_OAUTH_CONSUMER_KEY", text, "ci-airline", "Name under which Launchpad knows the engine."
    )
    token: str = setting(
        "CI_OAUTH_TOKEN",
        text,
        "",
        "Launchpad access token; `uci-engine launchpad-credentials` makes one.",
        secret=True,
    )
    token_secret: str = setting(
        "CI_OAUTH_TOKEN_SECRET", text, "", "Secret of the Launchpad access token.", secret=True
    )
    service_root: str = setting(
        "UCI_LAUNCHPAD_API", url, "https://api.launchpad.net", "Address of Launchpad's web service."
    )
    upload_host: str = setting(
        "UCI_LAUNCHPAD_UPLOAD_HOST",
        text,
        "ppa.launchpad.net",
        "HOST or HOST:PORT of the FTP server that takes uploads.",
    )
    packages_url: str = setting(
        "UCI_LAUNCHPAD_PACKAGES",
        url,
        "https://ppa.launchpadcontent.net",
        "Address that apt installs from; OWNER/NAME/ubuntu is added.",
    )
    poll_seconds: int = setting(
        "UCI_LAUNCHPAD_POLL",
        whole_number,
        "30",
        "Seconds for which an answer of Launchpad about builds or cleaning is not asked for again.",
    )
