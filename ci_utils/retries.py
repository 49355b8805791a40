"""Doing again what failed for a reason that can pass."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from ci_utils.errors import CIError

log = logging.getLogger(__name__)

#: Seconds before the second and each further try.
PAUSES = (0.5, 1.0, 2.0, 4.0)

T = TypeVar("T")


def retried(call: Callable[[], T]) -> T:
    """Call until it succeeds or fails with an error that is not `retryable`; raises the last one."""
    for pause in PAUSES:
        try:
            return call()
        except CIError as error:
            if not error.retryable:
                raise
            log.info("trying again in %g seconds: %s", pause, error.message)
        time.sleep(pause)
    return call()
