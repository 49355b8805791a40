"""Archives in a Launchpad whose time passes only as a test says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from ci_utils.archive.launchpad.archives import LaunchpadArchives
from tests.ci_utils.source_package.uploads import SigningKey
from tests.harness.launchpad.farm import ScriptedFarm
from tests.harness.launchpad.model import Launchpad
from tests.harness.launchpad.server import OWNER, Server, launchpad_server

SERIES = "bookworm"
POOL = f"ppa:{OWNER}/ci_pool-001"
DESTINATION = f"ppa:{OWNER}/archive"

OpenArchives = Callable[..., LaunchpadArchives]


@pytest.fixture
def farm() -> ScriptedFarm:
    return ScriptedFarm()


@pytest.fixture
def server(farm: ScriptedFarm, uploader: SigningKey) -> Iterator[Server]:
    with launchpad_server(farm, series=SERIES, keyring=uploader.public()) as server:
        yield server


@pytest.fixture
def launchpad(server: Server) -> Launchpad:
    return server.launchpad


@pytest.fixture
def open_launchpad(server: Server) -> Iterator[OpenArchives]:
    """Opens archives, with other settings than the server's if some are given."""
    opened: list[LaunchpadArchives] = []
    known = {"bash"}
    mirror: Any = SimpleNamespace(
        series=SERIES, refresh=lambda _: None, knows_binaries=lambda names: set(names) - known
    )

    def open_again(poll_seconds: float = 0, destination: str = "archive", **environment: str):
        server.environment.update(environment)
        opened.append(
            LaunchpadArchives(
                server.config,
                mirror,
                owner=server.environment["CI_LAUNCHPAD_PPA_OWNER"],
                destination=destination,
                poll_seconds=poll_seconds,
            )
        )
        return opened[-1]

    yield open_again
    for archives in opened:
        archives.close()


@pytest.fixture
def archives(open_launchpad: OpenArchives) -> LaunchpadArchives:
    return open_launchpad()
