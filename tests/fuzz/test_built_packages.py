"""Whatever a build leaves, its archive's index has one stanza for each package, as it was checked."""

from __future__ import annotations

import atexit
import hashlib
import shutil
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path

from debian.deb822 import Packages
from hypothesis import strategies as st

from ci_utils.archive.built_packages import BuiltPackage, _package, split_controls
from ci_utils.archive.index import BuildRow
from ci_utils.archive.package_builder import _binary_row
from ci_utils.errors import UploadRejected
from ci_utils.source_package.control import UploadFile
from tests.fuzz.inputs import fuzz, noise, spoiled, stanzas

CONTROL = b"Package: hello\nVersion: 1.0\nArchitecture: all\nDescription: x\n y\n"
FIELDS = ["Package", "Version", "Architecture", "Source", "Filename", "Size", "SHA256", "Depends", "Section"]
BUILD = BuildRow("id", "ppa:local/ci", "hello", "1.0", "amd64", "BUILDING")

_more = st.just(CONTROL) | stanzas(FIELDS).map(lambda more: CONTROL + more) | stanzas(FIELDS)
controls = spoiled(_more)


@cache
def _deb() -> Path:
    directory = tempfile.mkdtemp(prefix="uci-fuzz-")
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    deb = Path(directory) / "hello_1.0_all.deb"
    deb.write_bytes(b"deb")
    return deb


def _read(control: bytes) -> BuiltPackage:
    indented = b"".join(b" " + line + b"\n" for line in control.removesuffix(b"\n").split(b"\n"))
    (text,) = split_controls(_deb().name.encode() + b"\n" + indented).values()
    file = UploadFile(_deb().name, 3, hashlib.sha256(b"deb").hexdigest())
    return _package(_deb(), file, text, "hello", "1.0", "amd64")


@fuzz(controls, raw=True)
def test_a_package_is_refused_or_indexed_as_what_it_is(control):
    with suppress(UploadRejected):
        package = _read(control)
        row = _binary_row(BUILD, package)
        (stanza,) = Packages.iter_paragraphs(f"{row.stanza}\n".encode(), use_apt_pkg=False)
        assert (stanza["Package"], stanza["Version"], stanza["Architecture"]) == ("hello", "1.0", "all")
        assert stanza["Filename"] == "pool/main/h/hello/hello_1.0_all.deb"
        assert (stanza["Size"], stanza["SHA256"]) == ("3", package.file.sha256)


@fuzz(st.lists(noise.map(str.encode) | controls).map(b"\n".join) | st.binary(max_size=200), raw=True)
def test_what_the_sandbox_prints_can_be_anything(output):
    for name, control in split_controls(output).items():
        assert not name.startswith(" ")
        assert "\n" not in name
        assert control.encode(errors="surrogateescape") in output.replace(b"\n ", b"\n")
