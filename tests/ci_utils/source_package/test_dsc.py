"""The files of an upload and its .dsc."""

from __future__ import annotations

import io
import subprocess
from pathlib import Path

import pytest

from ci_utils.errors import NotFound, UploadRejected
from ci_utils.source_package.changes import SourceChanges, read_changes
from ci_utils.source_package.dsc import SourceControl, check_files, file_problems, in_directory, parse_dsc
from tests.ci_utils.source_package.uploads import SigningKey, Upload


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "upload"


def written(upload: Upload, folder: Path, key: SigningKey) -> SourceChanges:
    path = upload.write(folder, key)
    return read_changes(path.read_bytes(), path.name)


def refusal(upload: Upload, folder: Path, key: SigningKey) -> str:
    changes = written(upload, folder, key)
    with pytest.raises(UploadRejected) as caught:
        check_files(changes, in_directory(folder))
    return caught.value.message


def test_a_sound_upload_is_accepted(folder, alice):
    dsc = check_files(written(Upload(), folder, alice), in_directory(folder))
    assert dsc == SourceControl(
        filename="hello_2.10-4.dsc",
        source="hello",
        version="2.10-4",
        architecture=("any",),
        binaries=("hello",),
        files=dsc.files,
        has_tests=True,
    )
    assert [file.name for file in dsc.files] == ["hello_2.10.orig.tar.gz", "hello_2.10-4.debian.tar.xz"]


def test_files_can_come_as_streams(alice):
    upload = Upload(version="1:2.10-4")
    contents = upload.contents()
    changes = read_changes(alice.clearsign(upload.changes()), upload.changes_name)
    assert check_files(changes, lambda name: io.BytesIO(contents[name])).version == "1:2.10-4"


def test_a_store_that_has_not_the_file_is_a_missing_file(alice):
    def nothing(name: str) -> io.BytesIO:
        raise NotFound(name)

    changes = read_changes(alice.clearsign(Upload().changes()), Upload().changes_name)
    problems = list(file_problems(changes, nothing))
    assert len(problems) == 3
    assert problems[0] == "hello_2.10-4.dsc is missing; hello_2.10-4_source.changes lists it"


def test_a_missing_file_is_named(folder, alice):
    changes = written(Upload(), folder, alice)
    (folder / "hello_2.10.orig.tar.gz").unlink()
    with pytest.raises(UploadRejected, match=r"hello_2\.10\.orig\.tar\.gz is missing"):
        check_files(changes, in_directory(folder))


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"the packaginG", "does not match its SHA-256 checksum"),
        (b"the packagin", "has 12 bytes, but"),
        (b"the packaging.", "is larger than the 13 bytes"),
    ],
)
def test_a_file_that_was_changed_is_named(folder, alice, data, sentence):
    changes = written(Upload(), folder, alice)
    (folder / "hello_2.10-4.debian.tar.xz").write_bytes(data)
    with pytest.raises(UploadRejected, match=r"hello_2\.10-4\.debian\.tar\.xz") as caught:
        check_files(changes, in_directory(folder))
    assert sentence in caught.value.message


def test_an_orig_tarball_that_is_not_in_the_upload_must_be_included(folder, alice):
    message = refusal(Upload(left_out=("hello_2.10.orig.tar.gz",)), folder, alice)
    assert message == (
        "hello_2.10.orig.tar.gz of hello_2.10-4.dsc is not in hello_2.10-4_source.changes; "
        "include it with: dpkg-buildpackage -S -sa"
    )


def test_a_dsc_of_another_version_is_refused(folder, alice):
    message = refusal(Upload(dsc_fields={"Version": "2.10-5"}), folder, alice)
    assert "hello_2.10-4.dsc describes hello 2.10-5" in message


def test_a_dsc_under_another_name_is_refused(folder, alice):
    upload = Upload()
    renamed = Upload(
        files={"hello_9.dsc": upload.contents()["hello_2.10-4.dsc"]}, left_out=("hello_2.10-4.dsc",)
    )
    assert "where hello_2.10-4.dsc is expected" in refusal(renamed, folder, alice)


def test_a_dsc_with_other_checksums_is_refused(folder, alice):
    files = "\n".join(
        f" {'0' * 64} {size} {name}"
        for name, size in (("hello_2.10.orig.tar.gz", 20), ("hello_2.10-4.debian.tar.xz", 13))
    )
    message = refusal(Upload(dsc_fields={"Checksums-Sha256": f"\n{files}"}), folder, alice)
    assert "disagree about hello_2.10.orig.tar.gz" in message


def test_a_file_that_the_dsc_does_not_know_is_refused(folder, alice):
    message = refusal(Upload(files={"hello_extra.tar.gz": b"x"}), folder, alice)
    assert message == "hello_2.10-4_source.changes lists hello_extra.tar.gz, which is not in hello_2.10-4.dsc"


def test_a_buildinfo_may_come_along(folder, alice):
    upload = Upload(files={"hello_2.10-4_source.buildinfo": b"Format: 1.0\n"})
    assert check_files(written(upload, folder, alice), in_directory(folder)).source == "hello"


@pytest.mark.parametrize(
    ("testsuite", "expected"),
    [("", False), ("autopkgtest", True), ("autopkgtest-pkg-python", True), ("x", False)],
)
def test_declared_tests_are_seen(testsuite, expected):
    dsc = Upload(dsc_fields={"Testsuite": testsuite}).contents()["hello_2.10-4.dsc"]
    assert parse_dsc(dsc, "hello_2.10-4.dsc").has_tests is expected


def test_a_signed_dsc_is_read_like_an_unsigned_one(alice):
    dsc = Upload().contents()["hello_2.10-4.dsc"]
    assert parse_dsc(alice.clearsign(dsc), "hello_2.10-4.dsc") == parse_dsc(dsc, "hello_2.10-4.dsc")


def test_what_dpkg_buildpackage_makes_is_accepted(tmp_path, alice):
    debian = tmp_path / "tiny" / "debian"
    (debian / "source").mkdir(parents=True)
    (debian / "source" / "format").write_text("3.0 (native)\n")
    (debian / "changelog").write_text(
        "tiny (1.0) bookworm; urgency=medium\n\n  * First. (Closes: #7)\n\n"
        " -- Alice <alice@example.com>  Mon, 02 Nov 2026 10:00:00 +0000\n"
    )
    (debian / "control").write_text(
        "Source: tiny\nMaintainer: Alice <alice@example.com>\nStandards-Version: 4.6.2\n\n"
        "Package: tiny\nArchitecture: all\nDescription: small\n small\n"
    )
    (debian / "rules").write_text("#!/usr/bin/make -f\n%:\n")
    (debian / "rules").chmod(0o755)
    command = ["dpkg-buildpackage", "-S", "-us", "-uc", "-d", "-nc"]
    subprocess.run(command, cwd=debian.parent, check=True, capture_output=True)
    path = tmp_path / "tiny_1.0_source.changes"
    changes = read_changes(alice.clearsign(path.read_bytes()), path.name, alice.public())
    assert changes.bugs == ("7",)
    assert check_files(changes, in_directory(tmp_path)).binaries == ("tiny",)
