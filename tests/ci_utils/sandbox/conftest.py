"""A small root, and a way to run a program in a sandbox and see what it printed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ci_utils.sandbox.sandbox import Sandbox
from tests.ci_utils.sandbox.root import make_root

Run = Callable[..., tuple[int, str]]
#: More than any script takes, on a machine whose disk stalls, too.
LIMIT_SECONDS = 100


@pytest.fixture(scope="session")
def small_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with a shell and a few programs."""
    return make_root(tmp_path_factory.mktemp("sandbox") / "root")


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run a shell script in a sandbox; its exit status and what it printed."""

    def run_script(sandbox: Sandbox, script: str, **options: Any) -> tuple[int, str]:
        with (tmp_path / "log").open("w+b") as log:
            status = sandbox.run(["sh", "-c", script], log=log, timeout=LIMIT_SECONDS, **options)
            log.seek(0)
            return status, log.read().decode()

    return run_script
