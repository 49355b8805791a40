"""The .dsc of an upload and the check of an upload's files against it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ci_utils.errors import NotFound, UploadRejected
from ci_utils.source_package.changes import (
    SourceChanges,
    checked_binaries,
    checked_source,
    checked_version,
)
from ci_utils.source_package.control import DSC_COLUMNS, MAX_BYTES, Stanza, UploadFile
from ci_utils.source_package.names import without_epoch
from ci_utils.source_package.signature import is_clearsigned, signed_content

CHUNK_BYTES = 1024 * 1024

#: Opens a file of the upload by its name; raises `NotFound` or `FileNotFoundError`.
OpenFile = Callable[[str], BinaryIO]


@dataclass(frozen=True)
class SourceControl:
    """What a .dsc says. `has_tests`: the source declares DEP-8 tests."""

    filename: str
    source: str
    version: str
    architecture: tuple[str, ...]
    binaries: tuple[str, ...]
    files: tuple[UploadFile, ...]
    has_tests: bool


def parse_dsc(content: bytes, filename: str) -> SourceControl:
    """Read a .dsc, signed or not: its checksum in the signed .changes vouches for it."""
    if is_clearsigned(content):
        content = signed_content(content, filename)
    stanza = Stanza.parse(content, filename)
    suites = [suite.strip() for suite in stanza.get("Testsuite").split(",")]
    return SourceControl(
        filename=filename,
        source=checked_source(stanza),
        version=checked_version(stanza),
        architecture=tuple(stanza.get("Architecture").split()),
        binaries=checked_binaries(stanza),
        files=stanza.files(DSC_COLUMNS),
        has_tests=any(suite.startswith("autopkgtest") for suite in suites),
    )


def check_files(changes: SourceChanges, open_file: OpenFile) -> SourceControl:
    """Check every file of an upload and return its .dsc.

    Size and SHA-256 of each file, then the .dsc against the .changes. Streams
    are read in pieces. Raises `UploadRejected` with a sentence that names the file.
    """
    for problem in file_problems(changes, open_file):
        raise UploadRejected(problem)
    return check_dsc(changes, open_file)


def check_dsc(changes: SourceChanges, open_file: OpenFile) -> SourceControl:
    """Check the .dsc of an upload, whose file has no problems, against the .changes, and return it."""
    with open_file(changes.dsc.name) as stream:
        dsc = parse_dsc(stream.read(MAX_BYTES + 1), changes.dsc.name)
    _compare(changes, dsc)
    return dsc


def in_directory(directory: Path) -> OpenFile:
    """How `check_files` opens files that lie in a directory."""

    def open_file(name: str) -> BinaryIO:
        return (directory / name).open("rb")

    return open_file


def file_problems(changes: SourceChanges, open_file: OpenFile) -> Iterator[str]:
    """One sentence for every file that is missing or is not what the .changes says."""
    for file in changes.files:
        try:
            with open_file(file.name) as stream:
                problem = _problem(changes, file, stream)
        except (FileNotFoundError, IsADirectoryError, NotFound):
            problem = f"{file.name} is missing; {changes.filename} lists it"
        except OSError as error:
            problem = f"{file.name} cannot be read: {error.strerror}"
        if problem:
            yield problem


def _problem(changes: SourceChanges, file: UploadFile, stream: BinaryIO) -> str:
    digest = hashlib.sha256()
    size = 0
    while chunk := stream.read(CHUNK_BYTES):
        size += len(chunk)
        if size > file.size:
            return f"{file.name} is larger than the {file.size} bytes that {changes.filename} says"
        digest.update(chunk)
    if size < file.size:
        return f"{file.name} has {size} bytes, but {changes.filename} says {file.size}"
    if digest.hexdigest() != file.sha256:
        return f"{file.name} does not match its SHA-256 checksum in {changes.filename}"
    return ""


def _compare(changes: SourceChanges, dsc: SourceControl) -> None:
    """Refuse a .dsc that tells another story than its .changes."""
    expected = f"{changes.source}_{without_epoch(changes.version)}.dsc"
    if dsc.filename != expected:
        raise UploadRejected(f"{changes.filename} lists {dsc.filename} where {expected} is expected")
    if (dsc.source, dsc.version) != (changes.source, changes.version):
        raise UploadRejected(
            f"{dsc.filename} describes {dsc.source} {dsc.version}, "
            f"but {changes.filename} describes {changes.source} {changes.version}"
        )
    uploaded = {file.name: file for file in changes.files}
    for file in dsc.files:
        if file.name not in uploaded:
            hint = "; include it with: dpkg-buildpackage -S -sa" if ".orig" in file.name else ""
            raise UploadRejected(f"{file.name} of {dsc.filename} is not in {changes.filename}{hint}")
        if file != uploaded[file.name]:
            raise UploadRejected(f"{dsc.filename} and {changes.filename} disagree about {file.name}")
    _refuse_strays(changes, dsc)


def _refuse_strays(changes: SourceChanges, dsc: SourceControl) -> None:
    described = {file.name for file in dsc.files} | {dsc.filename}
    for file in changes.files:
        if file.name not in described and not file.name.endswith("_source.buildinfo"):
            raise UploadRejected(f"{changes.filename} lists {file.name}, which is not in {dsc.filename}")
