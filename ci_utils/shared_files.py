"""Files that nobody changes any more, at a second place."""

from __future__ import annotations

import os
import shutil
from pathlib import Path


def share(source: Path, target: Path) -> None:
    """Have a file at `target` too: by a link, or by a copy where its file system cannot link it.

    Neither place may be written to afterwards. Raises `FileExistsError` if
    something is at `target` already, `FileNotFoundError` if `source` or the
    directory of `target` is not there, `OSError` if it cannot be copied either.
    """
    try:
        os.link(source, target)
    except (FileExistsError, FileNotFoundError):
        raise
    except OSError:
        shutil.copyfile(source, target)
