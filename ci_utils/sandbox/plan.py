"""What the engine tells the launcher: plain data that travels as one line of JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

#: Ids of every sandbox, whoever runs it.
ID_COUNT = 65536
#: The ordinary user that hostile programs run as, by number.
BUILD_ID = 1000
#: Begins the launcher's sentence when the name of a limit that was hit follows.
LIMIT_REPORT = "limit "


@dataclass(frozen=True)
class BindPlan:
    """A file or directory of the host that the program sees."""

    source: str
    target: str
    read_only: bool


@dataclass(frozen=True)
class LimitsPlan:
    """Bytes of memory and disk, number of processes; `in_memory`: bytes of each file system in memory."""

    memory: int
    processes: int
    disk: int
    in_memory: int


@dataclass(frozen=True)
class Plan:
    """One program in one sandbox.

    `id_map` holds the first user and group id of the range to map, or None in
    a namespace that has its own already. `lowers` make an overlay (top layer
    first), `directory` is a prepared root; with neither, the host's own tree
    stays in view.
    """

    argv: list[str]
    env: dict[str, str]
    cwd: str
    hostname: str
    id_map: tuple[int, int] | None
    lowers: list[str]
    upper: str
    directory: str
    binds: list[BindPlan]
    tmpfs: list[str]
    network: bool
    unprivileged: bool
    limits: LimitsPlan | None

    def to_json(self) -> bytes:
        """One line."""
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def from_json(cls, line: bytes) -> Plan:
        """The inverse of `to_json`."""
        fields: dict[str, Any] = json.loads(line)
        fields["binds"] = [BindPlan(**bind) for bind in fields["binds"]]
        fields["limits"] = fields["limits"] and LimitsPlan(**fields["limits"])
        return cls(**fields)
