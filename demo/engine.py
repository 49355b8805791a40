"""The engine of the demo: a process of its own on a data directory that outlives it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ci_utils.errors import ToolFailed

BIN = Path(sys.executable).parent
READY_SECONDS = 60
STOP_SECONDS = 30
READY_LINE = re.compile(r"^Serving on (http://\S+)$", re.MULTILINE)
#: Settings of the caller that the demo keeps; others belong to other engines.
KEPT_SETTINGS = ("UCI_ACCELERATOR", "UCI_MIRROR", "UCI_SERIES")


@dataclass(frozen=True)
class Home:
    """Where the demo's engine keeps its data and its users their tokens."""

    directory: Path
    environment: Mapping[str, str]

    @property
    def data_dir(self) -> Path:
        return self.directory / "data"

    def next_run(self) -> int:
        """The number of this run; each gives the package a higher version."""
        counter = self.directory / "runs"
        number = int(counter.read_text()) + 1 if counter.exists() else 1
        counter.write_text(f"{number}\n")
        return number


def open_home(directory: Path, *, own_users: bool) -> Home:
    """The demo's home; with `own_users` the caller's own `ubuntu-ci` configuration stays untouched."""
    kept = {n: v for n, v in os.environ.items() if not n.startswith("UCI_") or n in KEPT_SETTINGS}
    (directory / "data").mkdir(mode=0o755, parents=True, exist_ok=True)
    # What commands say on their two outputs then comes in its order, in a pipe too.
    own = {"UCI_DATA_DIR": str(directory / "data"), "PYTHONUNBUFFERED": "1"}
    if own_users:
        own["XDG_CONFIG_HOME"] = str(directory / "config")
    return Home(directory, {**kept, **own})


@dataclass(frozen=True)
class Engine:
    """A running engine; `environment` is that of its users, `process` its number if it is one."""

    url: str
    environment: Mapping[str, str]
    process: int = 0

    def ubuntu_ci(self, *arguments: str | Path) -> int:
        """Run the users' command line against the engine; its exit status."""
        argv = [BIN / "ubuntu-ci", "-u", self.url, *arguments]
        return subprocess.run(argv, env=self.environment, check=False).returncode


def command(environment: Mapping[str, str], *arguments: str | Path) -> None:
    """Run an operator's command of `uci-engine`; what it says is shown."""
    argv = [BIN / "uci-engine", *arguments]
    if subprocess.run(argv, env=environment, stdin=subprocess.DEVNULL, check=False).returncode:
        raise ToolFailed(f"uci-engine {' '.join(map(str, arguments))} failed")


@contextmanager
def running_engine(home: Home, *, keep: bool) -> Iterator[Engine]:
    """An engine on a free loopback port; it ends with the context unless all went well and `keep` is set."""
    log = home.directory / "engine.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [BIN / "uci-engine", "run", "--listen", "127.0.0.1:0"],
            env=home.environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # an interrupt of the demo is the demo's to handle
        )
    try:
        yield Engine(_url_once_ready(process, log), home.environment, process.pid)
    except BaseException:
        _end(process)
        raise
    if not keep:
        _end(process)


def _url_once_ready(process: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + READY_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        if found := READY_LINE.search(log.read_text(errors="replace")):
            return found[1]
        time.sleep(0.05)
    raise ToolFailed("the engine did not start", output=log.read_text(errors="replace")[-2000:])


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
