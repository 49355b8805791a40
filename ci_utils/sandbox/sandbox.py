"""Runs programs as root of their own namespaces, or as nobody much in them.

Works the same for an ordinary user with subordinate ids and for root. The
program sees only the root that it was given and what was bound into it; it
has no network unless that was allowed; and it dies with the engine.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO

from ci_utils.commands import end_process_group, never, wait_for
from ci_utils.errors import Cancelled, ToolFailed
from ci_utils.sandbox.id_range import first_ids
from ci_utils.sandbox.limits import LOG, LimitExceeded, Limits
from ci_utils.sandbox.log_space import LogSpace
from ci_utils.sandbox.plan import LIMIT_REPORT, BindPlan, Plan

MAX_REPORT = 4096
BASE_ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LC_ALL": "C.UTF-8",
}


@dataclass(frozen=True)
class Overlay:
    """Layers over each other, the top one first; what the program writes goes to `upper`.

    `upper` is a directory made by `writable_directory`, in which `upper/` and
    `work/` appear; None keeps what is written in memory and forgets it.
    """

    lowers: Sequence[Path]
    upper: Path | None = None


@dataclass(frozen=True)
class Directory:
    """A root file system that lies (or is mounted) in a directory."""

    path: Path


@dataclass(frozen=True)
class Host:
    """The host's own tree, for trusted programs that need a namespace's root.

    They reach what any user may read; what is bound appears below /mnt.
    """


@dataclass(frozen=True)
class Bind:
    """A file or directory of the host at `target` of the root (below /mnt for `Host`)."""

    source: Path
    target: str
    read_only: bool = True


class SandboxProcess(subprocess.Popen[bytes]):
    """A program in a sandbox, for `with`. Its exit status is the program's (128 + n for signal n).

    `channel` is what keeps it alive: leaving the `with`, or the engine's death, ends it.
    """

    channel: socket.socket

    def __exit__(self, *details: object) -> None:
        if self.poll() is None and details[0] is not None:
            end_process_group(self)
        super().__exit__(*details)  # type: ignore[arg-type]
        self.channel.close()

    def failure(self) -> str:
        """Why the sandbox could not be made, once it has ended; empty if it could."""
        with contextlib.suppress(OSError):
            return self.channel.recv(MAX_REPORT, socket.MSG_DONTWAIT).decode(errors="replace").strip()
        return ""


class Sandbox:
    """A recipe for namespaces; every `run` and `popen` makes them anew.

    `unprivileged` drops everything for hostile programs: uid 1000, no
    capabilities, no new privileges. `tmpfs` lists directories to cover with an
    empty file system. `nested` is for a program that runs in a `Host` sandbox
    already and is its root: it keeps the ids that it has. `limits` are for
    programs that may be hostile.
    """

    def __init__(
        self,
        root: Overlay | Directory | Host,
        *,
        binds: Sequence[Bind] = (),
        tmpfs: Sequence[str] = (),
        network: bool = False,
        unprivileged: bool = False,
        nested: bool = False,
        limits: Limits | None = None,
        hostname: str = "build",
    ) -> None:
        if network and not isinstance(root, Host):
            binds = [*binds, Bind(Path("/etc/resolv.conf"), "/etc/resolv.conf")]
        self._root = root
        self._binds = binds
        self._tmpfs = tmpfs
        self._network = network
        self._unprivileged = unprivileged
        self._nested = nested
        self._limits = limits
        self._hostname = hostname

    def run(
        self,
        argv: Sequence[str | Path],
        *,
        log: BinaryIO,
        timeout: float,
        cancelled: Callable[[], bool] = never,
        env: Mapping[str, str] | None = None,
        cwd: str = "/",
    ) -> int:
        """Run a program with both outputs going to `log`; return its exit status.

        Raises `TimedOut` or `Cancelled` after ending everything in the sandbox,
        `LimitExceeded` likewise, `ToolFailed` if the sandbox cannot be made.
        """
        plan = self.plan(argv, env or {}, cwd)
        space = LogSpace(log.fileno(), limited=bool(plan.limits))
        try:
            with space, _start(plan, stdout=space.pipe, stderr=subprocess.STDOUT) as process:
                space.pipe.close()
                stop = lambda: bool(space.exceeded) or cancelled()  # noqa: E731
                wait_for(process, timeout=timeout, cancelled=stop, name=Path(argv[0]).name)
                problem = process.failure()
        except Cancelled:
            if not plan.limits or not (limit := space.exceeded):
                raise
            space.cut()
            raise LimitExceeded(limit, plan.limits) from None
        _raise(problem, plan)
        if plan.limits and ((limit := space.exceeded) == LOG or (limit and process.returncode)):
            space.cut()
            raise LimitExceeded(limit, plan.limits)
        return process.returncode

    def output(
        self,
        argv: Sequence[str | Path],
        target: BinaryIO,
        *,
        timeout: float,
        env: Mapping[str, str] | None = None,
        cwd: str = "/",
    ) -> int:
        """Run a program with its standard output alone going to `target`; return its exit status.

        Raises what `run` raises.
        """
        plan = self.plan(argv, env or {}, cwd)
        with _start(plan, stdout=target, stderr=subprocess.DEVNULL) as process:
            wait_for(process, timeout=timeout, name=Path(argv[0]).name)
            problem = process.failure()
        _raise(problem, plan)
        return process.returncode

    def popen(
        self,
        argv: Sequence[str | Path],
        *,
        env: Mapping[str, str] | None = None,
        cwd: str = "/",
        stdin: int | IO[bytes] = subprocess.DEVNULL,
        stdout: int | IO[bytes] | None = None,
        stderr: int | IO[bytes] | None = None,
    ) -> SandboxProcess:
        """Start a program; `end_process_group` ends it and everything it started."""
        return _start(self.plan(argv, env or {}, cwd), stdin=stdin, stdout=stdout, stderr=stderr)

    def plan(self, argv: Sequence[str | Path], env: Mapping[str, str], cwd: str = "/") -> Plan:
        """What the launcher is told; for a program that calls `launch.supervise` itself."""
        root = self._root
        overlay = root if isinstance(root, Overlay) else Overlay([])
        directory = str(root.path.absolute()) if isinstance(root, Directory) else ""
        home = "/root" if not self._unprivileged and not isinstance(root, Host) else "/nonexistent"
        return Plan(
            argv=_words(argv),
            env={**BASE_ENVIRONMENT, "HOME": home, **env},
            cwd=cwd,
            hostname=self._hostname,
            id_map=None if self._nested else first_ids(),
            lowers=[str(lower.absolute()) for lower in overlay.lowers],
            upper=str(overlay.upper.absolute()) if overlay.upper else "",
            directory=directory,
            binds=_plans(self._binds),
            tmpfs=list(self._tmpfs),
            network=self._network,
            unprivileged=self._unprivileged,
            limits=self._limits.plan(self._written()) if self._limits else None,
        )

    def _written(self) -> list[Path]:
        """Places of the host that the program writes to, the one that takes most first."""
        root = self._root.path if isinstance(self._root, Directory) else None
        root = self._root.upper if isinstance(self._root, Overlay) else root
        return [*([root] if root else []), *(bind.source for bind in self._binds if not bind.read_only)]


def _raise(problem: str, plan: Plan) -> None:
    """The error that a sandbox told of, if it did."""
    if plan.limits and problem.startswith(LIMIT_REPORT):
        raise LimitExceeded(problem.removeprefix(LIMIT_REPORT).split("\n")[0], plan.limits)
    if problem:
        raise ToolFailed("an isolated environment could not be set up", output=problem)


def _start(
    plan: Plan,
    *,
    stdin: int | IO[bytes] = subprocess.DEVNULL,
    stdout: int | IO[bytes] | None = None,
    stderr: int | IO[bytes] | None = None,
) -> SandboxProcess:
    ours, theirs = socket.socketpair()
    with theirs:
        process = SandboxProcess(
            [sys.executable, "-I", "-m", "ci_utils.sandbox.launch", str(theirs.fileno())],
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            pass_fds=[theirs.fileno()],
            start_new_session=True,
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8"},
        )
    process.channel = ours
    with contextlib.suppress(BrokenPipeError):  # a launcher that has ended already: its status says so
        ours.sendall(plan.to_json())
    return process


def _words(argv: Sequence[str | Path]) -> list[str]:
    return [os.fspath(argument) for argument in argv]


def _plans(binds: Sequence[Bind]) -> list[BindPlan]:
    return [BindPlan(str(bind.source.absolute()), bind.target, bind.read_only) for bind in binds]
