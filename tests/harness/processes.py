"""Runs a server of the tests: in a directory of its own, and not a moment longer than the run."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

#: Far more than they take where nothing else runs: reached by those only that will never answer.
READY_SECONDS = 300
STOP_SECONDS = 60
#: Comes after a change of user, which would undo it.
DIES_WITH_US = ("setpriv", "--pdeathsig", "TERM", "--")


def free_port() -> int:
    """A loopback port that nothing listens on, and that nobody else gets as long as this process runs."""
    kept = socket.socket()
    kept.bind(("127.0.0.1", 0))
    # Who asks for this very port may still have it, as long as that one does the same: all servers do.
    kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    port = int(kept.getsockname()[1])
    kept.detach()  # it stays open: minutes can pass before the server listens
    return port


def listens(port: int) -> bool:
    """Whether a server takes connections on a loopback port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextlib.contextmanager
def directory() -> Iterator[Path]:
    """A directory that is gone afterwards."""
    home = Path(tempfile.mkdtemp(prefix="uci-test-server-"))
    try:
        yield home
    finally:
        shutil.rmtree(home, ignore_errors=True)


@contextlib.contextmanager
def running(
    argv: Sequence[str], home: Path, env: Mapping[str, str], *, stop: signal.Signals
) -> Iterator[subprocess.Popen[bytes]]:
    """A program in its own process group, ended with all of it; it prints to `home`/output."""
    with (home / "output").open("ab") as output:
        process = subprocess.Popen(
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=home,
            env=env,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            _end(process, stop)


def _end(process: subprocess.Popen[bytes], stop: signal.Signals) -> None:
    for number in (stop, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)
            return


def status_of_one_asked_again_and_again(process: subprocess.Popen[bytes]) -> int:
    """Exit status of a process that gets SIGTERM until it has ended."""
    deadline = time.monotonic() + READY_SECONDS
    while process.poll() is None:
        assert time.monotonic() < deadline, f"{process.args!r} has not ended"
        process.terminate()
        time.sleep(0.001)
    return process.returncode


def wait_until(answers: Callable[[], bool], server: subprocess.Popen[bytes], home: Path) -> None:
    """Wait until a server answers; an `AssertionError` shows its output if it ends or takes too long."""
    deadline = time.monotonic() + READY_SECONDS
    while not answers():
        if server.poll() is not None or time.monotonic() > deadline:
            output = (home / "output").read_text(errors="replace")
            raise AssertionError(f"the server does not answer; it printed:\n{output[-4000:]}")
        time.sleep(0.1)
