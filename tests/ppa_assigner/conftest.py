from __future__ import annotations

import pytest

from ci_utils.hosting import ports
from tests.branch_source_builder.memory_archives import MemoryArchives


@pytest.fixture
def archives(monkeypatch: pytest.MonkeyPatch) -> MemoryArchives:
    """Two archives in memory, behind the port that the service uses."""
    made = MemoryArchives()
    monkeypatch.setattr(ports, "archives", lambda: made)
    return made
