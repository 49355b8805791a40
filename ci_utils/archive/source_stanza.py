"""What the index says of a source package, taken from its .dsc."""

from __future__ import annotations

import hashlib
import re

from debian.deb822 import Dsc

from ci_utils.archive.file_pool import pool_directory
from ci_utils.archive.index import SourceRow
from ci_utils.source_package.control import MAX_BYTES, Stanza
from ci_utils.source_package.dsc import SourceControl
from ci_utils.source_package.signature import is_clearsigned, signed_content

BUILD_DEPENDENCIES = ("Build-Depends", "Build-Depends-Arch", "Build-Depends-Indep")
#: Of a .dsc, what an index does without or says itself; names of fields have no case.
REPLACED_FIELDS = ("source", "package", "directory", "checksums-sha1")
_PACKAGE = re.compile(r"(?:^|[,|])\s*([a-z0-9][a-z0-9+.-]+)")


def source_row(archive: str, control: SourceControl, dsc: bytes) -> SourceRow:
    """The row of a source in `archive`; `dsc` is the checked content of its .dsc."""
    content = signed_content(dsc, control.filename) if is_clearsigned(dsc) else dsc
    stanza = Stanza.parse(content[:MAX_BYTES], control.filename)
    directory = pool_directory(control.source)
    names = [control.filename, *(file.name for file in control.files)]
    needs = {name for field in BUILD_DEPENDENCIES for name in _PACKAGE.findall(stanza.get(field))}
    return SourceRow(
        archive=archive,
        name=control.source,
        version=control.version,
        dsc_sha256=hashlib.sha256(dsc).hexdigest(),
        files="\n".join(f"{directory}/{name}" for name in names),
        needs="\n".join(sorted(needs)),
        provides="\n".join(control.binaries),
        stanza=_index_stanza(content, dsc, control, directory),
    )


def _index_stanza(content: bytes, dsc: bytes, control: SourceControl, directory: str) -> str:
    fields = Dsc(content)
    package = Dsc({"Package": control.source})
    for field in fields:
        if field.lower() not in REPLACED_FIELDS:
            package[field] = fields[field]
    size = str(len(dsc))
    for field, algorithm, column in (("Files", "md5", "md5sum"), ("Checksums-Sha256", "sha256", "sha256")):
        digest = hashlib.new(algorithm, dsc, usedforsecurity=False).hexdigest()
        own = {column: digest, "size": size, "name": control.filename}
        package[field] = [own, *fields[field]]
    package["Directory"] = directory
    return str(package.dump())
