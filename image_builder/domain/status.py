"""What the image builder says of itself."""

from __future__ import annotations

from typing import Any

from ci_utils.work_queue.requests import queue_status


def status() -> dict[str, Any]:
    """Requests per state and what is being built now."""
    return queue_status("image_builder")
