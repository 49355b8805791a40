"""Starts a small program again and again while other threads go on.

`subprocess` holds Python's global lock until a program is loaded, and eight
requests at a time wait for it. The C library's `posix_spawn`, called by
ctypes, lets them go on. What goes in and out lies in memory: no file is left
behind whatever happens, and nothing the program writes is more than its room.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import select
import signal
from collections.abc import Mapping, Sequence
from contextlib import closing
from io import FileIO

from ci_utils.commands import tool_missing
from ci_utils.errors import TimedOut, ToolFailed

#: Where the program finds the second text that it is given; the first is its standard input.
SECOND_INPUT = "/dev/fd/3"
#: More than the C library's structures take on any machine.
_STRUCTURE_BYTES = 1024
_POSIX_SPAWN_SETSID = 0x80

_libc = ctypes.CDLL(None)


def run(
    argv: Sequence[str], first: bytes, second: bytes, *, env: Mapping[str, str], timeout: float, room: int
) -> tuple[int, bytes, bytes]:
    """Run a program on two texts; its exit status and what it wrote to standard output and error.

    Neither may take more than `room` bytes: writing more fails. Raises
    `ToolMissing`, `TimedOut` (in seconds), `ToolFailed` if it cannot be started.
    """
    with _text(first) as one, _text(second) as other, _room(room) as out, _room(room) as error:
        process = _spawn(argv, env, [one, out, error, other])
        status = _wait(process, timeout, argv[0])
        return status, _written(out), _written(error)


def _text(content: bytes) -> FileIO:
    file = FileIO(os.memfd_create("text"), "r+")
    view = memoryview(content)
    while view:
        view = view[file.write(view) :]
    file.seek(0)
    return file


def _room(size: int) -> FileIO:
    """An empty file in memory that cannot grow beyond its size."""
    file = FileIO(os.memfd_create("room", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING), "r+")
    file.truncate(size)
    fcntl.fcntl(file, fcntl.F_ADD_SEALS, fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK)
    return file


def _written(file: FileIO) -> bytes:
    """What the program wrote: it moved the position that it shares with this process."""
    return os.pread(file.fileno(), file.tell(), 0)


def _spawn(argv: Sequence[str], env: Mapping[str, str], descriptors: Sequence[FileIO]) -> int:
    """Start the program with these as its descriptors 0, 1, 2, …; its process."""
    actions, attributes = (ctypes.create_string_buffer(_STRUCTURE_BYTES) for _ in range(2))
    process = ctypes.c_int()
    _libc.posix_spawn_file_actions_init(actions)
    _libc.posix_spawnattr_init(attributes)
    try:
        for number, file in enumerate(descriptors):
            _libc.posix_spawn_file_actions_adddup2(actions, file.fileno(), number)
        _libc.posix_spawn_file_actions_addclosefrom_np(actions, len(descriptors))
        _libc.posix_spawnattr_setflags(attributes, ctypes.c_short(_POSIX_SPAWN_SETSID))
        words, variables = _strings(argv), _strings([f"{name}={value}" for name, value in env.items()])
        failed = _libc.posix_spawnp(
            ctypes.byref(process), argv[0].encode(), actions, attributes, words, variables
        )
    finally:
        _libc.posix_spawnattr_destroy(attributes)
        _libc.posix_spawn_file_actions_destroy(actions)
    if failed == errno.ENOENT:
        raise tool_missing(argv[0])
    if failed:
        raise ToolFailed(f"{argv[0]} could not be started: {os.strerror(failed)}")
    return process.value


def _strings(texts: Sequence[str]) -> ctypes.Array[ctypes.c_char_p]:
    return (ctypes.c_char_p * (len(texts) + 1))(*(text.encode() for text in texts), None)


def _wait(process: int, timeout: float, name: str) -> int:
    """The exit status of a process; one that does not end in time is killed."""
    with closing(FileIO(os.pidfd_open(process))) as ended:
        poll = select.poll()
        poll.register(ended, select.POLLIN)
        in_time = poll.poll(timeout * 1000)
    if not in_time:
        os.killpg(process, signal.SIGKILL)
    _, status = os.waitpid(process, 0)
    if not in_time:
        raise TimedOut(f"{name} did not end within {timeout:g} seconds")
    return os.waitstatus_to_exitcode(status)
