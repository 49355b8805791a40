"""Pages of a log's lines, and what is found in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.utils.safestring import SafeString

from web_ui.domain.ansi import coloured
from web_ui.domain.files import FileClient, TicketFile
from web_ui.domain.log_index import IndexCache, LogIndex, build_index

PAGE_LINES = 500
MAX_PAGE_BYTES = 2 << 20
MAX_LINE_CHARACTERS = 4000
MAX_FOUND = 200
MAX_SEARCHED_BYTES = 512 << 20
MAX_NEEDLE = 200
#: Of a line that never ends, this much is looked at as one.
MAX_CARRIED_BYTES = 64 << 10

_indexes = IndexCache()


@dataclass(frozen=True)
class Line:
    """A line with its number, from 1 on, as HTML."""

    number: int
    html: SafeString


@dataclass(frozen=True)
class LogPage:
    """Lines of a log of `total` lines; `found` are those with what was looked for, by number."""

    lines: Sequence[Line]
    total: int
    size: int

    @property
    def first(self) -> int:
        return self.lines[0].number if self.lines else 1

    @property
    def last(self) -> int:
        return self.lines[-1].number if self.lines else 0

    @property
    def before(self) -> int:
        """The first line of the page before this; 0 if this is the first."""
        return max(1, self.first - PAGE_LINES) if self.first > 1 else 0

    @property
    def after(self) -> int:
        """The first line of the page after this; 0 if this is the last."""
        return self.last + 1 if 0 < self.last < self.total else 0


@dataclass(frozen=True)
class Found:
    """Lines with a text; `searched_to` is the last line that was looked at if there is more."""

    lines: Sequence[Line]
    searched_to: int = 0


def read_page(reader: FileClient, file: TicketFile, first: int | None) -> LogPage:
    """The page that begins at a line; None is the last page."""
    index = _index(reader, file)
    if first is None:
        first = index.lines - PAGE_LINES + 1
    first = max(1, min(first, index.lines))
    offset, before = index.block_of(first)
    content = reader.part(file.url, offset, MAX_PAGE_BYTES).content
    lines = content.split(b"\n")
    if lines and not lines[-1]:
        del lines[-1]
    skipped = lines[first - 1 - before :][:PAGE_LINES]
    return LogPage([_line(first + n, line) for n, line in enumerate(skipped)], index.lines, index.size)


def search(reader: FileClient, file: TicketFile, text: str, first: int = 1) -> Found:
    """Lines from `first` on that have a text, its ASCII letters in any case, up to a number of lines."""
    needle = text[:MAX_NEEDLE].encode().lower()  # as the bytes of the log, of which only ASCII has cases
    offset, before = _index(reader, file).block_of(first)
    found: list[Line] = []
    searched = 0
    number = before
    for block in _whole_lines(reader.pieces(file.url, offset)):
        searched += len(block)
        if needle in block.lower():
            for count, line in enumerate(block.split(b"\n"), 1):
                if number + count >= first and needle in line.lower():
                    found.append(_line(number + count, line))
                    if len(found) == MAX_FOUND:
                        return Found(found, number + count)
        number += block.count(b"\n")
        if searched > MAX_SEARCHED_BYTES:
            return Found(found, number)
    return Found(found)


def console_lines(text: str, after: int) -> list[Line]:
    """Lines of a console that come after the first `after` of it; they end with newlines and nothing else."""
    lines = text.removesuffix("\n").split("\n") if text else []
    return [_line(after + n, line.encode()) for n, line in enumerate(lines, 1)]


def _index(reader: FileClient, file: TicketFile) -> LogIndex:
    key = file.reference, reader.part(file.url, 0, 1).size
    index = _indexes.get(key)
    if index is None:
        index = build_index(reader.pieces(file.url))
        _indexes.put(key, index)
    return index


def _whole_lines(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The same bytes, cut behind newlines, or where a line does not end for too long."""
    carried = b""
    for piece in pieces:
        data = carried + piece
        end = data.rfind(b"\n") + 1
        if not end and len(data) > MAX_CARRIED_BYTES:
            end = len(data)
        if end:
            yield data[:end]
        carried = data[end:]
    if carried:
        yield carried


def _line(number: int, content: bytes) -> Line:
    text = content[: MAX_LINE_CHARACTERS * 4].decode(errors="replace").rstrip("\r")
    more = len(content) - len(text.encode()) if len(text) > MAX_LINE_CHARACTERS else 0
    if len(text) > MAX_LINE_CHARACTERS or len(content) > MAX_LINE_CHARACTERS * 4:
        more = max(more, len(content) - MAX_LINE_CHARACTERS)
        text = f"{text[:MAX_LINE_CHARACTERS]} … ({more} bytes more in this line)"
    return Line(number, coloured(text))
