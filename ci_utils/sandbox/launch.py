"""The launcher: `python -m ci_utils.sandbox.launch FD` runs one program in new namespaces.

Four processes, each ending with the one before it:

    supervisor   in the host; maps the ids; ends all when the engine's end of FD closes
    entry        enters the namespaces and becomes their root
    init         process 1 inside; mounts, then reaps
    program      what was asked for; when it ends, everything in the namespaces ends

FD is a socket: the plan comes in on it, one sentence goes out if the sandbox
cannot be made (exit status 125).
"""

from __future__ import annotations

import contextlib
import os
import resource
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from ci_utils.sandbox import process_tree, root_tree
from ci_utils.sandbox import system_calls as kernel
from ci_utils.sandbox.control_group import ControlGroup, control_group
from ci_utils.sandbox.disk_meter import DiskMeter
from ci_utils.sandbox.limits import DISK, MEMORY, PROCESSES
from ci_utils.sandbox.plan import BUILD_ID, ID_COUNT, LIMIT_REPORT, LimitsPlan, Plan

SETUP_FAILED = 125
NOT_FOUND = 127
WATCH_SECONDS = 0.5
MEASURE_SECONDS = 0.2
#: A file with holes is not measured as what it seems; a real one is seen before it is this large.
FILE_FACTOR = 4
#: So that who counts them sees more than the limit.
SPARE_PROCESSES = 16


def main() -> int:
    """Read the plan, run the program, return its exit status."""
    channel = socket.socket(fileno=int(sys.argv[1]))
    channel.set_inheritable(False)
    with channel.makefile("rb") as lines:
        plan = Plan.from_json(lines.readline())
    return supervise(plan, channel)


def supervise(plan: Plan, channel: socket.socket) -> int:
    """Run the plan's program to its end, or until the other end of `channel` closes; its exit status."""
    # A nested sandbox is within the limits of the one around it.
    with control_group(plan.limits if plan.id_map else None) as group:
        return _supervise(plan, channel, group)


def _supervise(plan: Plan, channel: socket.socket, group: ControlGroup) -> int:
    ours, theirs = socket.socketpair()
    entry = _fork(lambda: _enter(plan, theirs, channel, group), channel)
    theirs.close()
    signal.signal(signal.SIGTERM, lambda *_: os.kill(entry, signal.SIGTERM))
    if plan.id_map and ours.recv(1):
        try:
            _map_ids(entry, plan.id_map)
        except OSError as error:
            _report(channel, error)
            os.kill(entry, signal.SIGKILL)
        else:
            ours.sendall(b"m")
    exceeded = _watch(plan, entry, channel, group)
    status = _exit_code(os.waitpid(entry, 0)[1])
    if exceeded := exceeded or group.exceeded():
        _report_limit(channel, exceeded)
    return status


def _watch(plan: Plan, entry: int, channel: socket.socket, group: ControlGroup) -> str:
    """Wait for the end of `entry`, or end it when the engine does or a limit is hit; which limit."""
    ended = os.pidfd_open(entry)
    measured = plan.limits if plan.id_map and len(group.directories) < len((MEMORY, PROCESSES)) else None
    exceeded = ""
    while not exceeded:
        ready, _, _ = select.select([ended, channel.fileno()], [], [], WATCH_SECONDS if plan.limits else None)
        if ended in ready:
            return ""
        exceeded = group.exceeded() or (process_tree.exceeded(entry, measured) if measured else "")
        if ready:
            break
    os.kill(entry, signal.SIGTERM)
    return exceeded


def _enter(plan: Plan, supervisor: socket.socket, channel: socket.socket, group: ControlGroup) -> int:
    kernel.die_with_parent(signal.SIGKILL)
    group.join()
    if plan.id_map:
        kernel.unshare(kernel.CLONE_NEWUSER)
        supervisor.send(b"u")
        supervisor.recv(1)
    spaces = kernel.CLONE_NEWNS | kernel.CLONE_NEWPID | kernel.CLONE_NEWIPC | kernel.CLONE_NEWUTS
    kernel.unshare(spaces if plan.network else spaces | kernel.CLONE_NEWNET)
    root_tree.keep_mounts_private()
    host = root_tree.HostPaths(plan)
    os.setgroups([])
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)
    kernel.die_with_parent(signal.SIGKILL)
    # Ended between the two, this process would leave an init that has not asked yet to die with it.
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGCHLD])
    return _status_of_init(_fork(lambda: _init(plan, host, channel, group), channel))


def _status_of_init(init: int) -> int:
    """Exit status of the first process of the namespaces; SIGTERM, which is blocked, ends it.

    A handler would not be run if the signal came just before the wait.
    """
    while True:
        if signal.sigwait([signal.SIGTERM, signal.SIGCHLD]) == signal.SIGTERM:
            os.kill(init, signal.SIGKILL)
        ended, status = os.waitpid(init, os.WNOHANG)
        if ended:
            return _exit_code(status)


def _init(plan: Plan, host: root_tree.HostPaths, channel: socket.socket, group: ControlGroup) -> int:
    kernel.die_with_parent(signal.SIGKILL)
    os.umask(0o022)
    root_tree.build(plan, host)
    layer = [host.open_written(plan)] if plan.limits and (plan.upper or plan.directory) else []
    _keep_only(channel.fileno(), *layer)
    socket.sethostname(plan.hostname)
    if not plan.network:
        kernel.loopback_up()
    if plan.unprivileged:
        # A namespace of its own would give the program capabilities again.
        Path("/proc/sys/user/max_user_namespaces").write_text("0")
    meter = _meter(plan, layer)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
    program = _fork(lambda: _execute(plan, group), channel)
    while True:
        pid, status = os.waitpid(-1, os.WNOHANG if meter else 0)
        ended = pid == program
        if meter and meter.full(now=ended):
            _report_limit(channel, DISK)
            return SETUP_FAILED
        if ended:
            return _exit_code(status)
        if not pid:
            signal.sigtimedwait([signal.SIGCHLD], MEASURE_SECONDS)


def _meter(plan: Plan, layer: list[int]) -> DiskMeter | None:
    """Of what the program writes, unless the sandbox around this one has all of it."""
    if not plan.limits or root_tree.is_host(plan):
        return None
    binds = [os.path.realpath(bind.target) for bind in plan.binds if not bind.read_only]
    trees = [*(f"/proc/self/fd/{descriptor}" for descriptor in layer), *binds]
    return DiskMeter(plan.limits, trees, "/" if plan.lowers and not plan.upper else None)


def _keep_only(*descriptors: int) -> None:
    """Close everything else but the standard three.

    A program that is root of these namespaces can walk what their first process
    has open, and a directory of the host's tree would lead it out.
    """
    below = 2
    for descriptor in sorted(descriptors):
        os.closerange(below + 1, descriptor)
        below = descriptor
    os.closerange(below + 1, os.sysconf("SC_OPEN_MAX"))


def _execute(plan: Plan, group: ControlGroup) -> NoReturn:
    os.setsid()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD, signal.SIGTERM])
    if plan.limits:
        _limit_each_process(plan.limits, group, files=plan.unprivileged)
    for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    if plan.unprivileged:
        kernel.drop_bounding_set()
        os.setresgid(BUILD_ID, BUILD_ID, BUILD_ID)
        os.setresuid(BUILD_ID, BUILD_ID, BUILD_ID)
        kernel.drop_capabilities()
        kernel.forbid_new_privileges()
    os.chdir(plan.cwd)
    os.execvpe(plan.argv[0], plan.argv, plan.env)  # noqa: S606 -- an argument list, no shell


def _limit_each_process(limits: LimitsPlan, group: ControlGroup, *, files: bool) -> None:
    """What the kernel limits by process or user; next best where it has no limit for all together."""
    wanted = {resource.RLIMIT_CORE: 0}
    if files:
        wanted[resource.RLIMIT_FSIZE] = limits.disk * FILE_FACTOR
    if MEMORY not in group.directories:
        wanted[resource.RLIMIT_DATA] = limits.memory
    if PROCESSES not in group.directories:
        wanted[resource.RLIMIT_NPROC] = limits.processes + SPARE_PROCESSES
    for kind, value in wanted.items():
        _, hard = resource.getrlimit(kind)
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (value, value))


def _map_ids(pid: int, first: tuple[int, int]) -> None:
    """Give the namespace its ids: as root by writing the maps, else by the set-user-id tools."""
    for kind, start in zip(("uid", "gid"), first, strict=True):
        if os.geteuid() == 0:
            Path(f"/proc/{pid}/{kind}_map").write_text(f"0 {start} {ID_COUNT}\n")
        else:
            argv = [f"new{kind}map", str(pid), "0", str(start), str(ID_COUNT)]
            done = subprocess.run(argv, capture_output=True, check=False)
            if done.returncode:
                raise PermissionError(f"{argv[0]}: {done.stderr.decode(errors='replace').strip()}")


def _fork(work: Callable[[], int], channel: socket.socket) -> int:
    """Run `work` in a child that ends with the status it returns; the child's pid."""
    pid = os.fork()
    if pid:
        return pid
    status = SETUP_FAILED
    try:
        status = work()
    except FileNotFoundError as error:
        status = NOT_FOUND
        _report(channel, error)
    except OSError as error:
        _report(channel, error)
    finally:
        os._exit(status)


def _report(channel: socket.socket, error: OSError) -> None:
    detail = f"{error.strerror} {error.filename or ''}" if error.strerror else str(error)
    channel.sendall(f"{detail.strip()}\n".encode())


def _report_limit(channel: socket.socket, limit: str) -> None:
    with contextlib.suppress(OSError):  # the engine may have ended
        channel.sendall(f"{LIMIT_REPORT}{limit}\n".encode())


def _exit_code(status: int) -> int:
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main())
