"""The .changes file of a source upload (Debian Policy 5.5).

Specification: chapters "Parts of a ticket submission" and "Specification of a
source package". A source upload holds sources only; the engine builds the
binary packages itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ci_utils.errors import UploadRejected
from ci_utils.source_package.control import CHANGES_COLUMNS, Stanza, UploadFile
from ci_utils.source_package.names import (
    valid_distribution,
    valid_file_name,
    valid_package_name,
    valid_version,
)
from ci_utils.source_package.signature import Signature, signed_content, verify

BUILT_PACKAGES = (".deb", ".udeb", ".ddeb")


@dataclass(frozen=True)
class SourceChanges:
    """What a .changes says. `changes` is its changelog entry; `binaries` may be empty."""

    filename: str
    source: str
    version: str
    distribution: str
    files: tuple[UploadFile, ...]
    binaries: tuple[str, ...] = ()
    changed_by: str = ""
    maintainer: str = ""
    urgency: str = ""
    changes: str = ""
    bugs: tuple[str, ...] = ()
    signature: Signature | None = None

    @property
    def dsc(self) -> UploadFile:
        """The one .dsc among the files."""
        return next(file for file in self.files if file.name.endswith(".dsc"))


def read_changes(content: bytes, filename: str, keyring: bytes | Path | None = None) -> SourceChanges:
    """Read a signed .changes; only what is signed counts.

    With a `keyring` (binary OpenPGP keys) the signature is verified and
    returned with the rest; without one it is enough that it is there, which
    is what `ubuntu-ci` can know. Raises `UploadRejected` with a sentence that
    names the file or field.
    """
    if not valid_file_name(filename) or not filename.endswith(".changes"):
        raise UploadRejected(f"{filename[:80]!r} is not a .changes file; give NAME_VERSION_source.changes")
    if keyring is None:
        return _read(Stanza.parse(signed_content(content, filename), filename), None)
    signed = verify(content, keyring, filename)
    return _read(Stanza.parse(signed.content, filename), signed.signature)


def checked_source(stanza: Stanza) -> str:
    """The Source field, which must be a package name."""
    source = stanza.require("Source")
    if not valid_package_name(source):
        raise UploadRejected(f"{stanza.filename}: the Source {source[:60]!r} is not a package name")
    return source


def checked_version(stanza: Stanza) -> str:
    """The Version field, which must be a version."""
    version = stanza.require("Version")
    if not valid_version(version):
        raise UploadRejected(f"{stanza.filename}: the Version {version[:60]!r} is not a valid version")
    return version


def checked_binaries(stanza: Stanza) -> tuple[str, ...]:
    """The package names of the Binary field, separated by commas or white space."""
    names = tuple(stanza.get("Binary").replace(",", " ").split())
    for name in names:
        if not valid_package_name(name):
            raise UploadRejected(f"{stanza.filename}: {name[:60]!r} in Binary is not a package name")
    return names


def _read(stanza: Stanza, signature: Signature | None) -> SourceChanges:
    _check_source_only(stanza)
    source = checked_source(stanza)
    distribution = stanza.require("Distribution")
    if not valid_distribution(distribution):
        raise UploadRejected(f"{stanza.filename}: the Distribution {distribution[:60]!r} is not one suite")
    return SourceChanges(
        filename=stanza.filename,
        source=source,
        version=checked_version(stanza),
        distribution=distribution,
        files=_source_files(stanza, source),
        binaries=checked_binaries(stanza),
        changed_by=stanza.get("Changed-By"),
        maintainer=stanza.get("Maintainer"),
        urgency=stanza.get("Urgency"),
        changes=_changelog_entry(stanza.get("Changes")),
        bugs=tuple(f"{stanza.get('Launchpad-Bugs-Fixed')} {stanza.get('Closes')}".split()),
        signature=signature,
    )


def _check_source_only(stanza: Stanza) -> None:
    architecture = stanza.require("Architecture")
    if architecture != "source":
        raise UploadRejected(
            f"{stanza.filename} is not a source upload (its Architecture is {architecture[:60]!r}); "
            "make one with: dpkg-buildpackage -S"
        )


def _source_files(stanza: Stanza, source: str) -> tuple[UploadFile, ...]:
    files = stanza.files(CHANGES_COLUMNS)
    for file in files:
        if not file.name.startswith(f"{source}_"):
            raise UploadRejected(f"{stanza.filename} lists {file.name}, which is not a file of {source}")
        if file.name.endswith(BUILT_PACKAGES):
            raise UploadRejected(f"{stanza.filename} lists {file.name}; a source upload holds no packages")
    descriptions = [file.name for file in files if file.name.endswith(".dsc")]
    if len(descriptions) != 1:
        raise UploadRejected(f"{stanza.filename} must list one .dsc file, not {len(descriptions)}")
    return files


def _changelog_entry(value: str) -> str:
    return "\n".join("" if line == "." else line for line in value.split("\n")).strip()
