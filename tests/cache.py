"""Where tests keep what is slow to make and the same for every run: base roots and images."""

from __future__ import annotations

import os
from pathlib import Path

TEST_CACHE = Path(os.environ.get("UBUNTU_CI_TEST_CACHE", "/var/cache/uci-engine-test"))
