"""Clients of the services that take long work: they answer at once and work in the background."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ci_utils.clients.base import ServiceClient

#: What is told of a request that was accepted and that no worker has taken yet.
WAITS_FOR_A_WORKER = {"state": "WAITING", "message": "waiting for a worker that is free"}


class WorkClient(ServiceClient):
    """A service with one operation whose requests are done once."""

    operation: str

    def start(self, parameters: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Send a request; the same request again is done once.

        Returns the last progress message (with `exit`) if the work has ended
        already, one that says so if no worker has taken it yet, else None. The
        parameters are those of the specification.
        """
        answer = self.post(f"{self.operation}/", parameters)
        if answer.get("exit"):
            return dict(answer)
        return WAITS_FOR_A_WORKER if answer.get("state") == "QUEUED" else None


class BranchSourceBuilderClient(WorkClient):
    """Specification: chapter "Branch/Source Builder", `build_source`."""

    operation = "build_source"

    def build_log(
        self, *, archive: str, source: str, version: str, start: int | None = None
    ) -> dict[str, Any]:
        """`text`, `following` and `ended` of a build's log while it is written, from a byte on or its end."""
        asked: dict[str, Any] = {"ppa": archive, "source": source, "version": version}
        return dict(self.get("buildlog/", **asked, **({} if start is None else {"start": start})))


class ImageBuilderClient(WorkClient):
    """Specification: chapter "Image Builder", `build_image`."""

    operation = "build_image"


class TestRunnerClient(WorkClient):
    """Specification: chapter "Test Runner", `test_image`."""

    operation = "test_image"
