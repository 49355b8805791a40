"""What `GET /api/v1/status` says of the branch/source builder."""

from __future__ import annotations

from typing import Any

from ci_utils.work_queue.requests import queue_status


def status() -> dict[str, Any]:
    """Requests per state and what is being built."""
    return queue_status("branch_source_builder")
