"""Starts the server: web service, uploads, and the time that passes."""

from __future__ import annotations

import contextlib
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ci_utils.config import LaunchpadConfig
from tests.harness.launchpad.farm import Farm
from tests.harness.launchpad.ftp import FtpServer
from tests.harness.launchpad.model import Launchpad
from tests.harness.launchpad.oauth import Tokens
from tests.harness.launchpad.web import WebServer

USER = "ci-bot"
OWNER = "ci-team"
CONSUMER = "ci-airline"
TICK_SECONDS = 0.1
POLL_SECONDS = 0.02


@dataclass
class Server:
    """A running Launchpad and the settings with which an engine works as its user `ci-bot`."""

    launchpad: Launchpad
    web: WebServer
    ftp: FtpServer
    tokens: Tokens
    environment: dict[str, str]

    @property
    def config(self) -> LaunchpadConfig:
        return LaunchpadConfig.from_environment(self.environment)


@contextlib.contextmanager
def launchpad_server(
    farm: Farm, *, series: str, keyring: bytes, owner: str = OWNER, by_itself: bool = False
) -> Iterator[Server]:
    """A Launchpad with the PPAs `archive`, `ci_pool-001` and `ci_pool-002` of a team.

    `keyring` has the binary keys of those who may upload. With `by_itself`
    time passes on its own, else by `launchpad.tick()`.
    """
    with tempfile.TemporaryDirectory(prefix="uci-launchpad-") as directory:
        names = ("ci_pool-002", "archive", "ci_pool-001", "something-else")
        launchpad = Launchpad(farm, owner=owner, names=names, series=series, keyring=keyring)
        tokens = Tokens()
        web = WebServer(launchpad, tokens, members=[USER])
        ftp = FtpServer(Path(directory), launchpad.receive)
        token, secret = tokens.issue(CONSUMER, USER)
        environment = {
            "CI_LAUNCHPAD_USER": USER,
            "CI_LAUNCHPAD_PPA_OWNER": owner,
            "CI_OAUTH_CONSUMER_KEY": CONSUMER,
            "CI_OAUTH_TOKEN": token,
            "CI_OAUTH_TOKEN_SECRET": secret,
            "UCI_LAUNCHPAD_API": web.address,
            "UCI_LAUNCHPAD_UPLOAD_HOST": ftp.host,
            "UCI_LAUNCHPAD_PACKAGES": f"{web.address}/packages",
        }
        ended = threading.Event()
        loops = [partial(server.serve_forever, POLL_SECONDS) for server in (web, ftp)]
        if by_itself:
            loops.append(partial(_pass_time, launchpad, ended))
        threads = [threading.Thread(target=loop, daemon=True) for loop in loops]
        for thread in threads:
            thread.start()
        try:
            yield Server(launchpad, web, ftp, tokens, environment)
        finally:
            ended.set()
            for server in (web, ftp):
                server.shutdown()
                server.server_close()
            for thread in threads:
                thread.join()


def _pass_time(launchpad: Launchpad, ended: threading.Event) -> None:
    while not ended.wait(TICK_SECONDS):
        launchpad.tick()
