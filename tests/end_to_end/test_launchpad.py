"""A ticket all the way, built and published in the Launchpad of the tests, by an engine with its settings."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from ci_utils.apt.mirror import Mirror, architecture
from ci_utils.archive.port import PublishedSource
from tests.cache import TEST_CACHE
from tests.ci_utils.archive.conftest import OpenArchives, mirror, open_archives
from tests.ci_utils.source_package.uploads import SigningKey
from tests.end_to_end.engine import Engine, running_engine, until
from tests.end_to_end.shared_parts import lend, prepared
from tests.harness.launchpad.farm import RealFarm
from tests.harness.launchpad.server import OWNER, Server, launchpad_server
from tests.source_packages import SourcePackage

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.timeout(1200)]

__all__ = ["mirror", "open_archives"]  # fixtures


@dataclass
class Setup:
    """An engine, its Launchpad, and the archives that its farm builds in."""

    engine: Engine
    server: Server
    farm: RealFarm


@pytest.fixture
def setup(open_archives: OpenArchives, mirror: Mirror, uploader: SigningKey) -> Iterator[Setup]:
    farm = RealFarm(open_archives(OWNER), architecture())
    directory = Path(tempfile.mkdtemp(prefix="uci-launchpad-engine-", dir="/var/tmp"))
    directory.chmod(0o755)
    lend(prepared(TEST_CACHE / "engine"), directory / "data")
    with launchpad_server(farm, series=mirror.series, keyring=uploader.public(), by_itself=True) as server:
        settings = server.environment | {"UCI_ARCHIVES": "launchpad", "UCI_LAUNCHPAD_POLL": "1"}
        try:
            with running_engine(directory, UCI_TEST_TIMEOUT="900", **settings) as engine:
                key = directory / "uploader.asc"
                key.write_bytes(uploader.public("--armor"))
                added = engine.command("uploader", "add", key)
                assert added.returncode == 0, added.stderr
                yield Setup(engine, server, farm)
        finally:
            shutil.rmtree(directory, ignore_errors=True)


def pool(engine: Engine) -> dict[str, str]:
    """The state of each archive of the pool by its name."""
    listed = requests.get(f"{engine.url}/api/v1/ppa/", timeout=60).json()["objects"]
    return {ppa["name"]: ppa["state"] for ppa in listed}


def test_a_ticket_is_built_tested_and_published_in_launchpad(
    setup: Setup, uploader: SigningKey, tmp_path: Path
):
    engine, server = setup.engine, setup.server
    until(lambda: pool(engine) == {f"ppa:{OWNER}/ci_pool-00{n}": "free" for n in (1, 2)})

    package = SourcePackage("wayfarer", "1.0", tests={"smoke": "test \"$(wayfarer)\" = 'wayfarer 1.0'"})
    answer = engine.ubuntu_ci(
        "create_ticket", "-o", "me@example.com", "-a", "wayfarer", "-s", package.upload(tmp_path, uploader)
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    ticket = engine.wait_for_end(next(engine.client.tickets(limit=1))["id"], seconds=1000)

    assert ticket["current_workflow_step"] == "1000", ticket["message"]
    [published] = server.launchpad.ppas["archive"].sources
    assert (published.name, published.version, published.status) == ("wayfarer", "1.0", "Published")
    assert setup.farm.published() == [PublishedSource("wayfarer", "1.0", ["wayfarer"])]
    until(lambda: set(pool(engine).values()) == {"free"})
    assert server.launchpad.mails == []
    assert server.environment["CI_OAUTH_TOKEN_SECRET"] not in engine.log.read_text(errors="replace")
