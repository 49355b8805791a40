"""What Launchpad would refuse later, in a mail that the engine does not see, is refused before the upload."""

from __future__ import annotations

import hashlib
from pathlib import Path

from debian.debian_support import Version

from ci_utils.archive.launchpad.files import fetch_dsc
from ci_utils.archive.launchpad.records import SourcePublication
from ci_utils.archive.launchpad.web_service import WebService
from ci_utils.errors import UploadRejected
from ci_utils.source_package.dsc import SourceControl


def admit(service: WebService, archive: str, destination: str, control: SourceControl, dsc: Path) -> bool:
    """Whether to upload this source; False if exactly it is in the archive.

    Raises `UploadRejected`. Launchpad takes a version once into an archive,
    whatever was deleted since.
    """
    here = service.sources(archive, source_name=control.source, exact_match=True)
    for record in here:
        if record.version == control.version:
            if record.active and _same(service, record, dsc):
                return False
            raise _refused(
                control, record.version, "this archive had before; Launchpad takes no version twice"
            )
    for record in here:
        if record.active and Version(control.version) < Version(record.version):
            raise _refused(control, record.version, "this archive has")
    published = service.sources(destination, source_name=control.source, exact_match=True)
    highest = max((record.version for record in published), key=Version, default=None)
    if highest is not None and Version(control.version) <= Version(highest):
        raise _refused(control, highest, "the destination had before")
    return True


def same_content(service: WebService, one: SourcePublication, other: SourcePublication) -> bool:
    """Whether two archives have the very same source."""
    return _digest(service, one) == _digest(service, other)


def _same(service: WebService, record: SourcePublication, dsc: Path) -> bool:
    return _digest(service, record) == hashlib.sha256(dsc.read_bytes()).hexdigest()


def _digest(service: WebService, record: SourcePublication) -> str:
    return hashlib.sha256(fetch_dsc(service.file_urls(record))).hexdigest()


def _refused(control: SourceControl, than: str, where: str) -> UploadRejected:
    name = f"{control.source} {control.version}"
    return UploadRejected(f"{name} is not higher than {than}, which {where}; give it a higher version")
