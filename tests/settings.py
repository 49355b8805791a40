"""Django's settings for the tests: the engine's own, on a data directory made for this run.

What the developer has in the environment does not reach the tests, except a
database to run them on (UCI_DATABASE).
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

_data_dir = Path(tempfile.mkdtemp(prefix="uci-test-data-"))
_data_dir.chmod(0o755)
atexit.register(shutil.rmtree, _data_dir, ignore_errors=True)

for _name in list(os.environ):
    if _name.startswith(("UCI_", "CI_LAUNCHPAD_")) and _name != "UCI_DATABASE":
        del os.environ[_name]
os.environ["UCI_DATA_DIR"] = str(_data_dir)
os.environ["UCI_PUBLIC_URL"] = "http://localhost"

from ci_utils.hosting.settings import *  # noqa: E402, F403

# SQLite in a file, as the engine uses it: one in memory has other locks between threads.
if not os.environ.get("UCI_DATABASE"):
    DATABASES["default"]["TEST"] = {"NAME": _data_dir / "test.sqlite3"}  # noqa: F405
