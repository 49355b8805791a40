"""The limits are settings of the engine, and its tickets say which one was hit."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest

from tests.cache import TEST_CACHE
from tests.ci_utils.source_package.uploads import SigningKey
from tests.end_to_end.engine import running_engine
from tests.end_to_end.shared_parts import lend, prepared
from tests.source_packages import SourcePackage

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.timeout(1800)]


def test_a_fork_bomb_fails_its_own_ticket_only(uploader: SigningKey, tmp_path: Path):
    directory = Path(tempfile.mkdtemp(prefix="uci-limits-", dir="/var/tmp"))
    directory.chmod(0o755)
    lend(prepared(TEST_CACHE / "engine"), directory / "data")
    packages = [
        (SourcePackage("bomb", build="perl -e 'fork while 1'"), "it started more than 200 processes"),
        (SourcePackage("modest", build="false"), "dpkg-buildpackage ended with status 2"),
    ]
    try:
        with running_engine(directory, UCI_POOL_SIZE="1", UCI_BUILD_PROCESSES="200") as engine:
            key = directory / "uploader.asc"
            key.write_bytes(uploader.public("--armor"))
            assert engine.command("uploader", "add", key).returncode == 0
            for package, reason in packages:
                changes = package.upload(tmp_path, uploader)
                answer = engine.ubuntu_ci(
                    "create_ticket", "-t", package.name, "-o", "me@example.com", "-s", changes
                )
                assert answer.returncode == 0, answer.stdout + answer.stderr
                ticket = engine.wait_for_end(next(engine.client.tickets(limit=1))["id"])
                assert ticket["current_workflow_step"] == "999"
                assert ticket["message"].startswith(f"{package.name} 1.0 failed to build on ")
                assert ticket["message"].endswith(f": {reason}")
    finally:
        shutil.rmtree(directory, ignore_errors=True)
