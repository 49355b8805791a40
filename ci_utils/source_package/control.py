"""Reads one stanza of a Debian control file strictly.

Other programs read the same bytes later; so what two readers could take in
two ways (a field twice, a second stanza, stray control characters) is refused
here instead of being guessed at.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ci_utils.errors import UploadRejected
from ci_utils.source_package.names import valid_file_name

MAX_BYTES = 1024 * 1024
MAX_FILES = 1000

_FIELD = re.compile(r"([A-Za-z][A-Za-z0-9-]*):[ \t]*(.*)", re.ASCII)
_FORBIDDEN = re.compile(r"[^\t\n\x20-\x7e\u00a0-\U0010ffff]")
#: A run of white space that python-debian's expressions take quadratic time for.
LONG_SPACE = re.compile(r"[^\S\n]{100,}")
_WORD = re.compile(r"[^ \t]+")
_DIGITS = re.compile(r"[0-9]{1,15}", re.ASCII)
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
_MD5 = re.compile(r"[0-9a-f]{32}", re.ASCII)
#: Words of a line of Files: of a .dsc; of a .changes, which adds section and priority.
DSC_COLUMNS, CHANGES_COLUMNS = 3, 5


@dataclass(frozen=True)
class UploadFile:
    """A file that a .changes or a .dsc lists; `size` in bytes, `sha256` in hexadecimal."""

    name: str
    size: int
    sha256: str


class Stanza:
    """The fields of one stanza; names without regard to case, as Debian has it."""

    def __init__(self, filename: str, fields: Mapping[str, str]) -> None:
        self.filename = filename
        self._fields = fields

    @classmethod
    def parse(cls, content: bytes, filename: str) -> Stanza:
        """Read a file that holds one stanza; `UploadRejected` names the file and what is wrong."""
        return cls(filename, _read_fields(_decode(content, filename), filename))

    def get(self, name: str) -> str:
        """A field's value, empty if there is none; continuation lines follow after newlines."""
        return self._fields.get(name.lower(), "")

    def has(self, name: str) -> bool:
        """Whether there is such a field, empty or not."""
        return name.lower() in self._fields

    def require(self, name: str) -> str:
        """A field's value, which must be there and not empty."""
        value = self.get(name)
        if not value:
            raise UploadRejected(f"{self.filename} has no {name} field")
        return value

    def files(self, columns: int) -> tuple[UploadFile, ...]:
        """The files listed in Files, with so many words a line, and Checksums-Sha256, which must agree."""
        sizes = {}
        for name, words in self._entries("Files").items():
            # What is no ASCII can be a space to other readers, who would then see other columns.
            if len(words) != columns or not _MD5.fullmatch(words[0]) or not "".join(words[2:]).isascii():
                raise UploadRejected(f"{self.filename} has no valid entry for {name} in its Files field")
            sizes[name] = self._size(words, name)
        sums = self._entries("Checksums-Sha256")
        for name in sorted(sizes.keys() ^ sums.keys()):
            missing = "Checksums-Sha256" if name in sizes else "Files"
            raise UploadRejected(f"{self.filename} lists {name} but not in its {missing} field")
        return tuple(self._file(name, size, sums[name]) for name, size in sizes.items())

    def _file(self, name: str, size: int, words: list[str]) -> UploadFile:
        if len(words) != 3 or not _SHA256.fullmatch(words[0]):
            raise UploadRejected(f"{self.filename} has no valid SHA-256 checksum for {name}")
        if self._size(words, name) != size:
            raise UploadRejected(f"{self.filename} gives two sizes for {name}")
        return UploadFile(name, size, words[0])

    def _size(self, words: list[str], name: str) -> int:
        if not _DIGITS.fullmatch(words[1]):
            raise UploadRejected(f"{self.filename} gives no valid size for {name}")
        return int(words[1])

    def _entries(self, field: str) -> dict[str, list[str]]:
        """The lines of a file list by the file name that ends each."""
        entries: dict[str, list[str]] = {}
        lines = [line for line in self.require(field).split("\n") if line]
        if len(lines) > MAX_FILES:
            raise UploadRejected(f"{self.filename} lists more than {MAX_FILES} files")
        for words in map(_WORD.findall, lines):
            name = words[-1]
            if not valid_file_name(name):
                raise UploadRejected(f"{self.filename} lists {name[:80]!r}, which is not a plain file name")
            if name in entries:
                raise UploadRejected(f"{self.filename} lists {name} twice in its {field} field")
            entries[name] = words
        return entries


def _decode(content: bytes, filename: str) -> str:
    if len(content) > MAX_BYTES:
        raise UploadRejected(f"{filename} is larger than {MAX_BYTES} bytes")
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise UploadRejected(f"{filename} is not a text in UTF-8") from None
    if _FORBIDDEN.search(text):
        raise UploadRejected(f"{filename} has control characters in it")
    if LONG_SPACE.search(text):
        raise UploadRejected(f"{filename} has a hundred spaces in a row")
    return text


def _read_fields(text: str, filename: str) -> dict[str, str]:
    fields: dict[str, list[str]] = {}
    value: list[str] = []
    for line in text.strip("\n").split("\n"):
        if not line.strip(" \t"):
            raise UploadRejected(f"{filename} has more than one stanza, or an empty line inside it")
        if line[0] in " \t":
            if not fields:
                raise UploadRejected(f"{filename} does not begin with a field")
            value.append(line.strip(" \t"))
            continue
        match = _FIELD.fullmatch(line)
        if match is None:
            raise UploadRejected(f"{filename} has a line that is no field: {line[:40]!r}")
        if match[1].lower() in fields:
            raise UploadRejected(f"{filename} has its {match[1]} field twice")
        value = fields[match[1].lower()] = [match[2].strip(" \t")]
    return {name: "\n".join(lines) for name, lines in fields.items()}
