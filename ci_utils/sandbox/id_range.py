"""Which 65536 user and group ids of the host a sandbox's own ids stand for."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

from ci_utils.errors import ConfigurationError
from ci_utils.sandbox.plan import ID_COUNT

#: Root without a line in /etc/subuid takes these: above what systemd gives to
#: containers, and not the first user's range, who could then act as the sandbox.
ROOT_FIRST_ID = 0x7000_0000


def first_ids() -> tuple[int, int]:
    """First host user id and group id of the range.

    Raises `ConfigurationError` that names the command to run if the user has none.
    """
    return _first("uid"), _first("gid")


def _first(kind: str) -> int:
    user = os.geteuid()
    names = {str(user), _user_name(user)}
    table = Path(f"/etc/sub{kind}")
    for line in table.read_text().splitlines() if table.is_file() else []:
        name, _, numbers = line.partition(":")
        first, _, count = numbers.partition(":")
        if name in names and first.isdigit() and count.isdigit() and int(count) >= ID_COUNT:
            return int(first)
    if user == 0:
        return _free_range(kind)
    raise ConfigurationError(
        f"{_user_name(user)} has no range of {ID_COUNT} ids in {table}; as root run: "
        f"usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {_user_name(user)}"
    )


def _free_range(kind: str) -> int:
    """Root's range; inside a container the last ids that it has."""
    end = 0
    for line in Path(f"/proc/self/{kind}_map").read_text().splitlines():
        start, _, count = (int(number) for number in line.split())
        end = max(end, start + count)
    if end >= ROOT_FIRST_ID + ID_COUNT:
        return ROOT_FIRST_ID
    if end >= 2 * ID_COUNT:
        return end - ID_COUNT
    raise ConfigurationError(
        f"root has only {end} {kind}s here, a sandbox needs {ID_COUNT} more; "
        "run the engine as an ordinary user or outside this container"
    )


def _user_name(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return str(user)
