"""Clients of the services that take long work: they answer at once and work in the background."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ci_utils.clients.base import ServiceClient


class WorkClient(ServiceClient):
    """A service with one operation whose requests are done once."""

    operation: str

    def start(self, parameters: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Send a request; the same request again is done once.

        Returns the last progress message (with `exit`) if the work has ended
        already, else None. The parameters are those of the specification.
        """
        answer = self.post(f"{self.operation}/", parameters)
        return answer if answer.get("exit") else None


class BranchSourceBuilderClient(WorkClient):
    """Specification: chapter "Branch/Source Builder", `build_source`."""

    operation = "build_source"


class ImageBuilderClient(WorkClient):
    """Specification: chapter "Image Builder", `build_image`."""

    operation = "build_image"


class TestRunnerClient(WorkClient):
    """Specification: chapter "Test Runner", `test_image`."""

    operation = "test_image"
