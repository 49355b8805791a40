"""The files of a ticket: which there are, and reading parts of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ci_utils.clients.base import ServiceClient
from ci_utils.errors import NotFound, RangeNotSatisfiable

TEXT_FILE = re.compile(r"\.(log|txt|manifest|manifest-diff|changes|dsc|json|diff)\Z")
RANGE = re.compile(r"bytes [0-9]+-[0-9]+/([0-9]+)")
#: The part of files that are of the ticket as a whole.
TICKET = "ticket"
KINDS = {"LOGS": "log", "RESULTS": "results", "IMAGE": "image", "SPU": "upload"}


@dataclass(frozen=True)
class TicketFile:
    """A file that a ticket brought or left behind. `part` is `ticket` or the source that it is of."""

    id: int
    part: str
    name: str
    type: str
    url: str
    reference: str
    size: int | None = None
    subticket: int = 0

    @property
    def readable(self) -> bool:
        """Whether it is text to look at."""
        return bool(TEXT_FILE.search(self.name))

    @property
    def owner(self) -> int:
        """Whose file it is, for addresses: the number of a subticket, or 0 for the ticket itself."""
        return self.subticket

    @property
    def is_subunit(self) -> bool:
        """Whether it is a stream of test results."""
        return self.name.endswith(".subunit")

    @property
    def kind(self) -> str:
        """What it is, for people."""
        kind = KINDS.get(self.type, self.type.lower())
        return kind if self.part == TICKET else f"{kind} of {self.part}"


@dataclass(frozen=True)
class Part:
    """Bytes of a file of `size` bytes, from `start` on."""

    content: bytes
    start: int
    size: int


class FileClient(ServiceClient):
    """Reads files where they are kept, in parts."""

    def part(self, url: str, start: int, length: int) -> Part:
        """Up to `length` bytes from `start` on; none behind the end."""
        return self._part(url, f"bytes={start}-{start + length - 1}", start)

    def tail(self, url: str, length: int) -> Part:
        """The last bytes, up to `length`."""
        found = self._part(url, f"bytes=-{length}", 0)
        return Part(found.content, found.size - len(found.content), found.size)

    def pieces(self, url: str, start: int = 0) -> Iterator[bytes]:
        """Everything from `start` on, piece by piece."""
        try:
            yield from self.content(url, {"Range": f"bytes={start}-"})
        except RangeNotSatisfiable:  # nothing is there
            return

    def _part(self, url: str, wanted: str, start: int) -> Part:
        try:
            answer = self._send("GET", url, headers={"Range": wanted})
        except RangeNotSatisfiable:
            return Part(b"", 0, 0)
        match = RANGE.fullmatch(answer.headers.get("Content-Range", ""))
        size = int(match[1]) if match else len(answer.content)
        return Part(answer.content, start if match else 0, size)


def files_of(ticket: Mapping[str, Any]) -> list[TicketFile]:
    """All files of a ticket, from `fullticket`."""
    found = [_file(artifact, TICKET, 0) for artifact in ticket["artifacts"]]
    for subticket in ticket["subtickets"]:
        source = subticket["source_package_upload"]["sourcepackage"]
        found += [_file(artifact, source, subticket["id"]) for artifact in subticket["artifacts"]]
    return found


def file_of(files: Sequence[TicketFile], *, owner: int, number: int) -> TicketFile:
    """The file of this owner (0: the ticket) and number; `NotFound` if the ticket has none."""
    for file in files:
        if (file.subticket, file.id) == (owner, number):
            return file
    raise NotFound("the ticket has no such file")


def _file(artifact: Mapping[str, Any], part: str, subticket: int) -> TicketFile:
    return TicketFile(
        artifact["id"],
        part,
        artifact["name"],
        artifact["type"],
        artifact["url"],
        artifact["reference"],
        artifact.get("size"),
        subticket,
    )
