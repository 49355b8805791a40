"""A setting that is missing or wrong is named at the start, before any work."""

from __future__ import annotations

import pytest

from ci_utils.errors import ConfigurationError
from tests.ci_utils.archive.launchpad.conftest import OpenArchives
from tests.harness.launchpad.server import Server

pytestmark = pytest.mark.server


def test_a_launchpad_with_all_that_is_needed_is_ready(open_launchpad: OpenArchives):
    open_launchpad().check()


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("CI_LAUNCHPAD_USER", "", "CI_LAUNCHPAD_USER is not set"),
        ("CI_LAUNCHPAD_USER", "somebody", "is somebody, but CI_OAUTH_TOKEN is a token of ci-bot"),
        ("CI_OAUTH_TOKEN", "", "CI_OAUTH_TOKEN is not set"),
        ("CI_OAUTH_TOKEN_SECRET", "", "CI_OAUTH_TOKEN_SECRET is not set"),
        ("CI_LAUNCHPAD_PPA_OWNER", "local", "CI_LAUNCHPAD_PPA_OWNER is not set"),
        ("CI_LAUNCHPAD_PPA_OWNER", "nobody", "CI_LAUNCHPAD_PPA_OWNER: Launchpad has no nobody"),
    ],
)
def test_a_setting_is_named(open_launchpad: OpenArchives, name: str, value: str, said: str):
    with pytest.raises(ConfigurationError, match=said):
        open_launchpad(**{name: value}).check()


def test_a_destination_that_is_not_there_is_named(open_launchpad: OpenArchives):
    with pytest.raises(
        ConfigurationError, match="UCI_DESTINATION_ARCHIVE: Launchpad has no ppa:ci-team/none"
    ):
        open_launchpad(destination="none").check()


def test_an_owner_without_a_pool_is_named(open_launchpad: OpenArchives, server: Server):
    for name in ("ci_pool-001", "ci_pool-002"):
        del server.launchpad.ppas[name]
    with pytest.raises(ConfigurationError, match="ci-team has no PPA for tickets"):
        open_launchpad().check()


def test_a_machine_without_dput_is_not_ready(open_launchpad: OpenArchives, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(ConfigurationError, match="apt-get install dput"):
        open_launchpad().check()
