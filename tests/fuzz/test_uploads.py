"""Whatever an upload says, it is refused with a sentence or means one thing to all readers."""

from __future__ import annotations

import atexit
import io
from contextlib import ExitStack, suppress
from functools import cache

from debian.deb822 import Changes, Deb822, Dsc
from hypothesis import strategies as st

from ci_utils.archive.file_pool import pool_directory
from ci_utils.archive.source_stanza import source_row
from ci_utils.errors import CIError, UploadRejected
from ci_utils.source_package.changes import read_changes
from ci_utils.source_package.dsc import check_files, parse_dsc
from ci_utils.source_package.names import valid_file_name, valid_package_name, valid_version
from ci_utils.source_package.signature import verify
from tests.ci_utils.source_package.uploads import SigningKey, Upload, throw_away_key
from tests.fuzz.inputs import NAMES, VERSIONS, file_names, fuzz, noise, spoiled, stanzas, values

CHANGES_FIELDS = [
    *("Source", "Version", "Distribution", "Architecture", "Files", "Checksums-Sha256", "Binary"),
    *("Changes", "Closes", "Maintainer", "Format"),
]
DSC_FIELDS = [
    *("Source", "Package", "Version", "Directory", "Files", "Checksums-Sha1", "Checksums-Sha256", "Binary"),
    *("Build-Depends", "Testsuite", "Architecture", "Package-List"),
]
SHA256 = "0" * 64
MD5 = "0" * 32


_digests = st.sampled_from([MD5, SHA256, "", "x\xa0y"]) | noise
_sizes = st.sampled_from(["1", "0", "-1", "9" * 20, "\u0661", "1\xa02"])
_extras = st.sampled_from(["", " devel optional", " ../x optional", " \xa0 x"])
_file_lists = st.lists(
    st.builds("\n {} {}{} {}".format, _digests, _sizes, _extras, file_names), max_size=4
).map("".join)
_fields = values | _file_lists


def uploads(names: list[str], of: str) -> st.SearchStrategy[Upload]:
    """Uploads of which up to three fields (those in the attribute `of`) are hostile."""
    name = st.sampled_from([*names, *map(str.upper, names)])
    changed = st.dictionaries(name, _fields, max_size=2)
    files: st.SearchStrategy[dict[str, bytes]] = st.just({}) | st.dictionaries(
        file_names, st.binary(max_size=9), max_size=1
    )
    source = st.sampled_from(["hello"] * 4 + NAMES)
    version = st.sampled_from(["2.10-4"] * 4 + VERSIONS)
    return st.builds(
        lambda source, version, fields, files: Upload(source, version, files=files, **{of: fields}),
        source, version, changed, files,
    )  # fmt: skip


def _clearsigned(content: bytes) -> bytes:
    return (
        b"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n" + content + b"-----BEGIN PGP SIGNATURE-----\n"
        b"\niHUEARYKAB0WIQ\n=abcd\n-----END PGP SIGNATURE-----\n"
    )


changes_texts = spoiled(uploads(CHANGES_FIELDS, "fields").map(Upload.changes)) | spoiled(
    stanzas(CHANGES_FIELDS, _fields)
)
dsc_texts = spoiled(
    uploads(DSC_FIELDS, "dsc_fields").map(lambda upload: upload.contents()[upload.dsc_name])
) | spoiled(stanzas(DSC_FIELDS, _fields))


@fuzz(changes_texts.map(_clearsigned) | spoiled(changes_texts.map(_clearsigned)), raw=True)
def test_a_changes_is_refused_or_says_the_same_to_others(text):
    with suppress(UploadRejected):
        changes = read_changes(text, "hello_1_source.changes")
        assert valid_package_name(changes.source)
        assert valid_version(changes.version)
        names = [file.name for file in changes.files]
        assert all(valid_file_name(name) and name.startswith(f"{changes.source}_") for name in names)
        assert changes.dsc.name.endswith(".dsc")
        other = Changes(text)
        assert (other["Source"], other["Version"]) == (changes.source, changes.version)
        assert [entry["name"] for entry in other["Files"]] == names
        assert {(e["name"], e["size"], e["sha256"]) for e in other["Checksums-Sha256"]} == {
            (file.name, f"{file.size:0{len(e['size'])}}", file.sha256)
            for file, e in zip(changes.files, other["Files"], strict=True)
        }


@fuzz(dsc_texts | dsc_texts.map(_clearsigned), raw=True)
def test_a_dsc_is_refused_or_indexed_as_what_it_is(text):
    with suppress(UploadRejected):
        control = parse_dsc(text, "hello_1.dsc")
        row = source_row("ppa:local/ci", control, text)
        (stanza,) = Dsc.iter_paragraphs(row.stanza.encode(), use_apt_pkg=False)
        directory = pool_directory(control.source)
        names = ["hello_1.dsc", *(file.name for file in control.files)]
        assert stanza["Package"] == control.source
        assert stanza["Version"] == control.version
        assert stanza["Directory"] == directory
        assert "Source" not in stanza
        for field in ("Files", "Checksums-Sha256"):
            assert [entry["name"] for entry in stanza[field]] == names
            assert [int(entry["size"]) for entry in stanza[field]] == [
                len(text), *(file.size for file in control.files)
            ]  # fmt: skip
        assert row.files.splitlines() == [f"{directory}/{name}" for name in names]
        assert all(valid_file_name(name) for name in names)
        assert all(valid_package_name(name) for name in [*row.provides.split(), *row.needs.split()])


@fuzz(uploads(CHANGES_FIELDS, "fields") | uploads(DSC_FIELDS, "dsc_fields"))
def test_files_of_an_upload_are_accepted_only_as_a_whole(upload):
    contents = upload.contents()
    opened = []

    def open_file(name: str) -> io.BytesIO:
        opened.append(name)
        if name not in contents:
            raise FileNotFoundError(name)
        return io.BytesIO(contents[name])

    with suppress(UploadRejected):
        changes = read_changes(_clearsigned(upload.changes()), "hello_1_source.changes")
        control = check_files(changes, open_file)
        assert (control.source, control.version) == (changes.source, changes.version)
        assert {file.name for file in control.files} <= contents.keys()
    assert all(valid_file_name(name) for name in opened)


@cache
def uploader_key() -> SigningKey:
    stack = ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(throw_away_key("Alice <alice@example.com>"))


@cache
def _signed() -> tuple[bytes, bytes]:
    return uploader_key().clearsign(b"Source: hello\nVersion: 1.0\n"), uploader_key().public()


@fuzz(spoiled(st.just(b"")), share=0.3)
def test_only_what_was_signed_is_read(change):
    text, keyring = _signed()
    at = (change[0] if change else 0) * len(text) // 256
    with suppress(CIError):
        signed = verify(
            text[:at] + change[1:] + text[at + len(change[1:]) :], keyring, "hello_1_source.changes"
        )
        assert Deb822(signed.content) == Deb822(b"Source: hello\nVersion: 1.0\n")
        assert signed.signature.fingerprint == uploader_key().fingerprint
