"""Puts a file of 1 GiB into Swift and reads it again; prints what came of it and the most memory it took."""

from __future__ import annotations

import hashlib
import json
import re
import sys
from pathlib import Path

from ci_utils.config import OpenStackConfig, SwiftConfig
from ci_utils.data_store.swift import SwiftDataStores

SIZE, PIECE = 1 << 30, 1 << 20


def main(path: Path) -> dict[str, int | str]:
    """Use the file at `path` and the account of the environment's settings."""
    written, read = hashlib.sha256(), hashlib.sha256()
    with path.open("wb") as file:
        for number in range(SIZE // PIECE):
            piece = number.to_bytes(4, "big") * (PIECE // 4)
            written.update(piece)
            file.write(piece)
    store = SwiftDataStores(SwiftConfig.from_environment(), OpenStackConfig.from_environment()).open("large")
    with path.open("rb") as contents:
        store.put_file("image", contents)
    path.unlink()
    with store.open_file("image") as stream:
        while piece := stream.read(PIECE):
            read.update(piece)
    stored = store.file_size("image")
    store.delete(recursive=True)
    return {
        "size": SIZE,
        "stored": stored,
        "written": written.hexdigest(),
        "read": read.hexdigest(),
        "peak": _peak(),
    }


def _peak() -> int:
    """The most memory of this program in bytes; getrusage counts that of the one that started it, too."""
    status = Path("/proc/self/status").read_text()
    return int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) * 1024


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]))))
