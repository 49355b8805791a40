"""A private directory for each machine; its lock tells whether the process that made it lives."""

from __future__ import annotations

import fcntl
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from ci_utils.errors import InvalidRequest

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
LOCK = "lock"
ID = "id"


class MachineDirectories:
    """The directories below `root`, each called `NAME~` and something that no other has."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(mode=0o700, parents=True, exist_ok=True)

    @property
    def id(self) -> str:
        """Tells these directories from those of other hosts; the same ever after."""
        path = self.root / ID
        if not path.exists():
            fresh = self.root / f".{ID}-{secrets.token_hex(8)}"
            fresh.write_text(fresh.name)
            with suppress(FileExistsError):
                path.hardlink_to(fresh)
            fresh.unlink()
        return path.read_text()

    @contextmanager
    def new(self, name: str) -> Iterator[Path]:
        """A directory for the machine `name`, removed at the end; `InvalidRequest` if that is no name."""
        if not NAME.fullmatch(name):
            raise InvalidRequest(f"{name[:100]!r} is not a name for a machine")
        with ExitStack() as held:
            with self._alone():
                directory = Path(
                    held.enter_context(tempfile.TemporaryDirectory(prefix=f"{name}~", dir=self.root))
                )
                lock = held.enter_context((directory / LOCK).open("w"))
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield directory

    def is_in_use(self, directory: str) -> bool:
        """Whether the process that made the directory of this name lives."""
        if "/" in directory:
            return False
        try:
            with (self.root / directory / LOCK).open("r+") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except FileNotFoundError:
            pass
        return False

    def sweep(self, prefix: str) -> list[str]:
        """Remove those whose machine's name begins so and whose process is dead; the directories' names."""
        swept = []
        with self._alone():
            for lock_file in sorted(self.root.glob(f"*/{LOCK}")):
                directory = lock_file.parent
                if machine_of(directory.name).startswith(prefix) and not self.is_in_use(directory.name):
                    shutil.rmtree(directory, ignore_errors=True)
                    swept.append(directory.name)
        return swept

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """While a directory is made and not locked yet, nobody sweeps."""
        with (self.root / f".{LOCK}").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def machine_of(directory: str) -> str:
    """The name of the machine that a directory of this name is for."""
    return directory.rpartition("~")[0]
