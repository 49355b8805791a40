"""Which tests share a process where several run side by side.

Servers and engines are fixtures of a session, and each process has a session
of its own: tests of one folder stay together, and so do all that need OpenStack.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import PurePath

import pytest
from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

OPENSTACK = {
    "ci_utils/compute",
    "ci_utils/data_store",
    "ci_utils/hosting",
    "ci_utils/image_store",
    "end_to_end/distributed",
}
#: What takes minutes begins first.
LONG = ["openstack", "faults", "end_to_end", "ci_utils/archive", "ci_utils/disk_image", "isolation"]


class ByFolder(LoadScopeScheduling):  # type: ignore[misc]
    """Gives a process one group of tests after the other."""

    def add_node_collection(self, node: WorkerController, collection: Sequence[str]) -> None:
        """Take over what a process has collected; of tests with one name only one would run."""
        if several := [name for name, times in Counter(collection).items() if times > 1]:
            raise pytest.UsageError(f"several tests are called {several[0]}; run them in one process")
        super().add_node_collection(node, collection)

    def _split_scope(self, nodeid: str) -> str:
        return group(nodeid)


def group(nodeid: str) -> str:
    """The group of a test: its folder below tests/, two levels of it in ci_utils."""
    folders = PurePath(nodeid.partition("::")[0]).parts[1:-1]
    if "/".join(folders[:2]) in OPENSTACK:
        return "openstack"
    return "/".join(folders[: 2 if folders[:1] == ("ci_utils",) else 1])


def place(nodeid: str) -> int:
    """Where among all tests the group begins."""
    found = group(nodeid)
    return LONG.index(found) if found in LONG else len(LONG)
