"""Who wants a server of Nova, and whether that process still lives.

On its own host a lock tells; from elsewhere only that it says so again and
again in the server's metadata.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from ci_utils.compute.directories import MachineDirectories
from ci_utils.errors import CIError

log = logging.getLogger(__name__)

#: Keys of the metadata.
DIRECTORY, HOST, ALIVE_AT = "uci_directory", "uci_host", "uci_alive_at"

SAYS_SO_SECONDS = 60.0
#: Silence after which the process is dead; clocks of hosts may differ by less.
SILENT_SECONDS = 15 * 60
#: Key pairs are there for seconds only.
KEY_SECONDS = 15 * 60


@dataclass(frozen=True)
class Owner:
    """The process that locks the machine's `directory` on `host`."""

    directory: str
    host: str

    def marks(self) -> dict[str, str]:
        """The metadata that says so, and that it lives now."""
        return {DIRECTORY: self.directory, HOST: self.host, ALIVE_AT: f"{time.time():.0f}"}

    def has(self, metadata: Mapping[str, str]) -> bool:
        """Whether the server with this metadata is its own."""
        return (metadata.get(DIRECTORY), metadata.get(HOST)) == (self.directory, self.host)

    @contextmanager
    def alive(self, mark: Callable[[Mapping[str, str]], None]) -> Iterator[None]:
        """Say again and again that the process lives, by `mark`."""
        ended = threading.Event()

        def go_on() -> None:
            while not ended.wait(SAYS_SO_SECONDS):
                try:
                    mark(self.marks())
                except CIError as error:
                    log.info("the machine in %s was not marked: %s", self.directory, error.message)

        thread = threading.Thread(target=go_on, name="machine-owner", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()


def was_left(metadata: Mapping[str, str], directories: MachineDirectories, *, now: float) -> bool:
    """Whether a server is one of an engine whose process is dead; `now` in seconds since 1970."""
    directory = metadata.get(DIRECTORY, "")
    if not directory:
        return False
    if metadata.get(HOST) == directories.id:
        return not directories.is_in_use(directory)
    alive_at = metadata.get(ALIVE_AT, "")
    return alive_at.isdecimal() and now - int(alive_at) > SILENT_SECONDS


def key_name(name: str) -> str:
    """How Nova's key pairs may be called: no dots and no tildes."""
    return re.sub(r"[^A-Za-z0-9_-]", "-", name)


def key_was_left(made_at: str, *, now: float) -> bool:
    """Whether a key pair is older than any that is needed; `made_at` is Nova's, in UTC."""
    return now - datetime.fromisoformat(made_at).replace(tzinfo=UTC).timestamp() > KEY_SECONDS
