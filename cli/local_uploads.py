"""Looks through uploads before anything of them is sent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ci_utils.errors import UploadRejected
from ci_utils.source_package.changes import SourceChanges, read_changes
from ci_utils.source_package.control import MAX_BYTES
from ci_utils.source_package.dsc import check_dsc, file_problems, in_directory


@dataclass(frozen=True)
class LocalUpload:
    """A .changes on this machine that is fit to be sent; its files lie beside it."""

    path: Path
    text: str
    changes: SourceChanges

    @property
    def dsc_text(self) -> str:
        """Its .dsc."""
        return self.file(self.changes.dsc.name).read_bytes().decode()

    @property
    def names(self) -> list[str]:
        """The .changes and all files that it lists."""
        return [self.path.name, *(file.name for file in self.changes.files)]

    def file(self, name: str) -> Path:
        """Where one of its files is."""
        return self.path.parent / name


def check_uploads(paths: Sequence[Path]) -> list[LocalUpload]:
    """Read and check every .changes with all of its files.

    Raises `UploadRejected` with all that is wrong, one sentence a line.
    """
    uploads: list[LocalUpload] = []
    problems: list[str] = []
    for path in paths:
        try:
            upload = _read(path)
            problems += _problems(upload)
            uploads.append(upload)
        except UploadRejected as error:
            problems.append(error.message)
    problems += _repeated(uploads)
    if problems:
        raise UploadRejected("\n".join(problems))
    return uploads


def _read(path: Path) -> LocalUpload:
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise UploadRejected(f"cannot read {path}: {error.strerror}") from None
    changes = read_changes(content, path.name)
    return LocalUpload(path, content.decode(), changes)


def _problems(upload: LocalUpload) -> list[str]:
    open_file = in_directory(upload.path.parent)
    problems = list(file_problems(upload.changes, open_file))
    if not problems:
        check_dsc(upload.changes, open_file)
    return problems


def _repeated(uploads: Sequence[LocalUpload]) -> Iterator[str]:
    counts = Counter(upload.changes.source for upload in uploads)
    for source, count in counts.items():
        if count > 1:
            yield f"{source} is given {count} times; a ticket takes one version of each source"
