"""Reading a signed .changes."""

from __future__ import annotations

import contextlib
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_utils.errors import UploadRejected
from ci_utils.source_package.changes import read_changes
from ci_utils.source_package.control import Stanza, UploadFile
from tests.ci_utils.source_package.uploads import SigningKey, Upload

NAME = "hello_2.10-4_source.changes"


def refusal(content: bytes, name: str = NAME) -> str:
    """The sentence that refuses a .changes (given with a signature that only looks like one)."""
    with pytest.raises(UploadRejected) as caught:
        read_changes(looks_signed(content), name)
    return caught.value.message


def looks_signed(content: bytes) -> bytes:
    return (
        b"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n"
        + content
        + b"-----BEGIN PGP SIGNATURE-----\n\niHUEARYK\n-----END PGP SIGNATURE-----\n"
    )


def entry(name: str, size: str = "1", digest: str = "0" * 64) -> dict[str, str]:
    """Fields of a .changes that lists one more file, under any name."""
    return {
        "Files": f"\n {'0' * 32} {size} devel optional {name}",
        "Checksums-Sha256": f"\n {digest} {size} {name}",
    }


def test_a_signed_source_upload_is_read(alice: SigningKey):
    changes = read_changes(alice.clearsign(Upload().changes()), NAME, alice.public())
    assert (changes.source, changes.version, changes.distribution) == ("hello", "2.10-4", "bookworm")
    assert changes.dsc.name == "hello_2.10-4.dsc"
    assert changes.files == tuple(
        UploadFile(name, len(data), hashlib.sha256(data).hexdigest())
        for name, data in Upload().contents().items()
    )
    assert changes.changes.endswith("* Greet the world.")
    assert changes.bugs == ("123",)
    assert changes.signature is not None
    assert changes.signature.fingerprint == alice.fingerprint
    assert changes.signature.uid == "Alice <alice@example.com>"


def test_the_client_is_content_with_a_signature_that_it_cannot_verify():
    assert read_changes(looks_signed(Upload().changes()), NAME).signature is None


@pytest.mark.parametrize("name", ["hello.dsc", "../hello_source.changes", "-x.changes", "a\nb.changes"])
def test_a_file_that_is_no_changes_is_refused(name):
    assert "is not a .changes file" in refusal(Upload().changes(), name)


@pytest.mark.parametrize(
    "content", [b"hello world\n", b"\x00\x01\n", b"\xff\xfe\n", b" x\n", b"A: 1\n\nB: 2\n"]
)
def test_a_text_that_is_no_stanza_is_refused(content):
    assert NAME in refusal(content)


@pytest.mark.parametrize("architecture", ["amd64", "source amd64", "source all"])
def test_an_upload_with_built_packages_is_refused(architecture):
    assert "is not a source upload" in refusal(Upload(fields={"Architecture": architecture}).changes())


@pytest.mark.parametrize(
    "field", ["Source", "Version", "Architecture", "Distribution", "Files", "Checksums-Sha256"]
)
def test_a_missing_field_is_named(field):
    assert refusal(Upload(fields={field: ""}).changes()) == f"{NAME} has no {field} field"


def test_a_field_given_twice_is_refused():
    assert "its Source field twice" in refusal(Upload().changes() + b"Source: other\n")


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"Version": "1\u20031"}, "is not a valid version"),
        ({"Source": "Hello"}, "is not a package name"),
        ({"Source": "hello (2.9)"}, "is not a package name"),
        ({"Version": "2.10/../4"}, "is not a valid version"),
        ({"Distribution": "sid stable"}, "is not one suite"),
        ({"Binary": "hello; rm"}, "is not a package name"),
    ],
)
def test_a_field_with_a_wrong_value_is_named(fields, sentence):
    message = refusal(Upload(fields=fields).changes())
    assert next(iter(fields)) in message
    assert sentence in message


@pytest.mark.parametrize(
    "name",
    ["../hello_1.dsc", "/etc/passwd", ".hello_1", "-hello_1", "hello_\u202ecsd.1", "x\u2003hello_1.dsc"],
)
def test_a_file_name_that_leaves_its_folder_is_refused(name):
    message = refusal(Upload(fields=entry(name)).changes())
    assert "is not a plain file name" in message
    assert repr(name) in message


def test_a_file_listed_twice_is_refused():
    twice = {field: value * 2 for field, value in entry("hello_1.dsc").items()}
    assert "lists hello_1.dsc twice" in refusal(Upload(fields=twice).changes())


@pytest.mark.parametrize("field", ["Files", "Checksums-Sha256"])
def test_a_file_in_one_list_only_is_refused(field):
    content = Upload(fields={field: entry("hello_1.dsc")[field]}).changes()
    assert "but not in its" in refusal(content)


@pytest.mark.parametrize("size", ["x", "-1", "1.5", "1" * 16, "٣"])
def test_a_size_that_is_no_number_is_refused(size):
    message = refusal(Upload(fields=entry("hello_1.dsc", size)).changes())
    assert message == f"{NAME} gives no valid size for hello_1.dsc"


@pytest.mark.parametrize("digest", ["0" * 63, "g" * 64, ""])
def test_a_checksum_that_is_none_is_refused(digest):
    message = refusal(Upload(fields=entry("hello_1.dsc", digest=digest)).changes())
    assert "hello_1.dsc" in message


def test_an_upload_without_a_dsc_is_refused():
    assert "must list one .dsc file, not 0" in refusal(Upload(left_out=("hello_2.10-4.dsc",)).changes())


def test_a_built_package_among_the_files_is_refused():
    files = {"hello_2.10-4_amd64.deb": b"!<arch>"}
    assert "a source upload holds no packages" in refusal(Upload(files=files).changes())


def test_a_file_of_another_source_is_refused():
    assert "is not a file of hello" in refusal(Upload(files={"bye_1.tar.gz": b""}).changes())


def test_more_files_than_the_limit_are_refused():
    many = {f"hello_{number}.tar.gz": b"" for number in range(1001)}
    assert "lists more than 1000 files" in refusal(Upload(files=many).changes())


def test_a_changes_above_the_limit_is_refused():
    assert "is larger than" in refusal(b"X: " + b"x" * 1024 * 1024)


@given(st.binary(max_size=400))
def test_any_bytes_are_a_stanza_or_refused(content):
    with contextlib.suppress(UploadRejected):
        assert Stanza.parse(content, NAME).filename == NAME
