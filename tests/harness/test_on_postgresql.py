"""The quick tests that use the database, once more on a real PostgreSQL."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness.fixtures import postgresql as postgresql

ROOT = Path(__file__).parents[2]


@pytest.mark.server
@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_the_tests_that_use_the_database_pass_on_postgresql(postgresql: str) -> None:
    argv = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "tests.harness.database_only",
        # A thread's connection may outlive the last test; the whole server is thrown away after it.
        "-W",
        "ignore:Error when trying to teardown test databases:pytest.PytestWarning",
    ]
    run = subprocess.run(
        [*argv, "-m", "not slow and not system and not server"],
        cwd=ROOT,
        env={**os.environ, "UCI_DATABASE": postgresql},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-8000:]
