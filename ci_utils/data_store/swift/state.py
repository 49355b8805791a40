"""What a container remembers of itself in Swift."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

READ = "X-Container-Read"
KEY = "X-Container-Meta-Temp-URL-Key"
APART = "X-Container-Meta-Apart"
SEGMENTS = "X-Container-Meta-Segments"

ANYBODY = ".r:*"


@dataclass(frozen=True)
class State:
    """`public`: who may read it; `apart`: whether some files are kept apart because others may read them;

    `segmented`: whether it ever had segments; `key`: what signs its URLs.
    """

    public: bool
    apart: bool
    segmented: bool
    key: str = field(repr=False)

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> State:
        """As the headers of the container say."""
        held = {name.lower(): value for name, value in headers.items()}
        return cls(
            public=ANYBODY in held.get(READ.lower(), "").split(","),
            apart=bool(held.get(APART.lower())),
            segmented=bool(held.get(SEGMENTS.lower())),
            key=held.get(KEY.lower(), ""),
        )


def readers(public: bool) -> dict[str, str]:
    """The header that makes a container public or private."""
    return {READ: ANYBODY if public else ""}
