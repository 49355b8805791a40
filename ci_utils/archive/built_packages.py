"""Reads what a build left and believes only what fits together.

The .debs are parsed inside a sandbox; what comes out is text, checked here
against the build's .changes and the source that was built.
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from ci_utils.archive.file_pool import file_sha256
from ci_utils.errors import StageFailed, UploadRejected
from ci_utils.sandbox.limits import DEFAULT_LIMITS, Limits, size_text
from ci_utils.sandbox.sandbox import Bind, Overlay, Sandbox
from ci_utils.source_package.control import CHANGES_COLUMNS, MAX_BYTES, Stanza, UploadFile
from ci_utils.source_package.names import valid_file_name, valid_package_name, valid_version, without_epoch

READING_SECONDS = 120
MAX_OUTPUT = 64 << 20
#: Fields that the archive writes itself.
RESERVED_FIELDS = ("filename", "size", "md5sum", "sha1", "sha256", "sha512", "directory")

# Control lines come out indented, so no package can imitate the line before them.
_READ = """
for package in /run/results/*.deb; do
    printf '%s\\n' "${package##*/}"; dpkg-deb --field "$package" | sed 's/^/ /' || exit 1
done
"""


@dataclass(frozen=True)
class BuiltPackage:
    """A .deb of a build: where it lies, what its .changes says and its control stanza."""

    path: Path
    file: UploadFile
    name: str
    version: str
    architecture: str
    control: str


@dataclass(frozen=True)
class BuildResults:
    """Everything that a build is published with."""

    packages: list[BuiltPackage]
    buildinfo: Path
    changes: Path


def read_results(
    results: Path,
    root: Path,
    *,
    limits: Limits = DEFAULT_LIMITS,
    source: str,
    version: str,
    architecture: str,
) -> BuildResults:
    """Check the results of building `source` `version`; `root` has the tools to read them.

    Raises `StageFailed` with a sentence that names the file.
    """
    try:
        return _read(results, root, limits, source, version, architecture)
    except UploadRejected as error:
        raise StageFailed(f"its results cannot be accepted: {error}") from error
    except OSError as error:
        raise StageFailed(f"its results cannot be read: {error.strerror}") from error


def _read(
    results: Path, root: Path, limits: Limits, source: str, version: str, architecture: str
) -> BuildResults:
    stem = f"{source}_{without_epoch(version)}_{architecture}"
    changes = _regular(results / f"{stem}.changes")
    buildinfo = _regular(results / f"{stem}.buildinfo")
    _check_size(results, buildinfo, limits)
    with changes.open("rb") as stream:
        declared = Stanza.parse(stream.read(MAX_BYTES + 1), changes.name)
    if (declared.get("Source").split(" ")[0], declared.get("Version")) != (source, version):
        raise UploadRejected(f"{changes.name} is not of {source} {version}")
    files = {file.name: file for file in declared.files(CHANGES_COLUMNS) if file.name.endswith(".deb")}
    controls = split_controls(_controls(results, root, limits))
    for name in files.keys() ^ controls.keys():
        raise UploadRejected(f"{name} is in only one of {changes.name} and the results")
    packages = [
        _package(_regular(results / name), files[name], controls[name], source, version, architecture)
        for name in sorted(files)
    ]
    return BuildResults(packages, buildinfo, changes)


def _package(
    path: Path, file: UploadFile, control: str, source: str, source_version: str, architecture: str
) -> BuiltPackage:
    stanza = Stanza.parse(control.encode(errors="surrogateescape"), file.name)
    name, version, target = (stanza.require(field) for field in ("Package", "Version", "Architecture"))
    if not valid_package_name(name) or not valid_version(version) or target not in (architecture, "all"):
        raise UploadRejected(f"{file.name} has no valid name, version or architecture")
    if file.name != f"{name}_{without_epoch(version)}_{target}.deb":
        raise UploadRejected(f"{file.name} holds {name} {version} for {target}")
    claimed = stanza.get("Source") or name
    of_source, _, of_version = claimed.partition(" ")
    if of_source != source or (of_version.strip("()") or version) != source_version:
        raise UploadRejected(f"{file.name} says it is of the source {claimed[:80]}")
    for field in RESERVED_FIELDS:
        if stanza.has(field):
            raise UploadRejected(f"{file.name} has the field {field}, which only an archive may write")
    if path.stat().st_size != file.size or file_sha256(path) != file.sha256:
        raise UploadRejected(f"{file.name} does not match its checksum")
    return BuiltPackage(path, file, name, version, target, control.strip("\n"))


def _check_size(results: Path, buildinfo: Path, limits: Limits) -> None:
    """Refuse what takes more room when it is read or copied than the build had: holes took none there."""
    if buildinfo.stat().st_size > MAX_BYTES:
        raise UploadRejected(f"{buildinfo.name} is larger than {size_text(MAX_BYTES)}")
    size = sum(path.lstat().st_size for path in results.iterdir())
    room = limits.disk or shutil.disk_usage(results).free
    if size > room:
        raise UploadRejected(f"they are {size_text(size)}, and there is room for {size_text(room)}")


def _controls(results: Path, root: Path, limits: Limits) -> bytes:
    """The control file of every .deb below its file name, read inside a sandbox."""
    for path in results.iterdir():
        # A name with a newline could imitate the control file of another package.
        if path.name.endswith(".deb") and not valid_file_name(path.name):
            raise UploadRejected(f"{path.name[:80]!r} is not a plain file name")
    binds = [Bind(results, "/run/results")]
    sandbox = Sandbox(Overlay([root]), binds=binds, unprivileged=True, limits=limits)
    with sandbox.popen(
        ["timeout", str(READING_SECONDS), "/bin/sh", "-c", _READ],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        output = process.stdout.read(MAX_OUTPUT) if process.stdout else b""
    if process.returncode:
        raise UploadRejected("a binary package cannot be read")
    return output


def split_controls(output: bytes) -> dict[str, str]:
    """The control files in what the sandbox printed, by the file names of their packages."""
    controls: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in output.decode(errors="surrogateescape").rstrip("\n").split("\n"):
        if line.startswith(" "):
            lines.append(line[1:])
        else:
            lines = controls[line] = []
    return {name: "\n".join(lines) for name, lines in controls.items() if name}


def _regular(path: Path) -> Path:
    if path.is_symlink() or not path.is_file():
        raise UploadRejected(f"the build left no file {path.name}")
    return path
