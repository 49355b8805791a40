"""The directory of UCI_DATA_DIR, in which the local adapters keep what they have."""

from __future__ import annotations

import os
from pathlib import Path

from ci_utils.errors import ConfigurationError


def require_writable(directory: Path) -> None:
    """Make a directory of the local adapters; `ConfigurationError` if this process cannot write there."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"UCI_DATA_DIR: cannot make the directory {directory.name}: {error.strerror}"
        ) from None
    if not os.access(directory, os.R_OK | os.W_OK | os.X_OK):
        raise ConfigurationError(
            f"UCI_DATA_DIR: {directory.name} in it cannot be written to; see to its owner and mode"
        )
