"""What a build left is believed only where it fits together."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from ci_utils.archive.built_packages import _package, read_results, split_controls
from ci_utils.errors import StageFailed, UploadRejected
from ci_utils.sandbox.limits import Limits
from ci_utils.source_package.control import UploadFile

CONTROL = "Package: hello\nVersion: 1.0\nArchitecture: all\n"


def package(directory: Path, control: str):
    deb = directory / "hello_1.0_all.deb"
    deb.write_bytes(b"deb")
    file = UploadFile(deb.name, 3, hashlib.sha256(b"deb").hexdigest())
    return _package(deb, file, control, "hello", "1.0", "amd64")


def test_a_package_of_the_build_is_taken(tmp_path):
    assert package(tmp_path, CONTROL).name == "hello"


@pytest.mark.parametrize("field", ["Filename: ../../etc/passwd", "SHA256:", "size: ", "Directory:"])
def test_fields_that_an_archive_writes_are_refused_even_if_empty(tmp_path, field):
    with pytest.raises(UploadRejected, match="only an archive may write"):
        package(tmp_path, f"{CONTROL}{field}\n")


def test_empty_lines_around_a_stanza_do_not_reach_the_index(tmp_path):
    assert package(tmp_path, f"\n{CONTROL}\n\n").control == CONTROL.rstrip()


def test_a_control_file_that_is_no_utf8_is_refused(tmp_path):
    (control,) = split_controls(b"hello_1.0_all.deb\n Package: hello\n Description: \xff\n").values()
    with pytest.raises(UploadRejected, match="not a text in UTF-8"):
        package(tmp_path, control)


def test_a_file_name_cannot_imitate_the_control_file_of_another(tmp_path):
    for name in ("hello_1.0_amd64.buildinfo", "x.deb\n Package: bash\n y.deb"):
        (tmp_path / name).touch()
    changes = f"Source: hello\nVersion: 1.0\nFiles:\n {'0' * 32} 1 a b x.deb\n"
    changes += f"Checksums-Sha256:\n {'0' * 64} 1 x.deb\n"
    (tmp_path / "hello_1.0_amd64.changes").write_text(changes)
    with pytest.raises(StageFailed, match="not a plain file name"):
        read_results(tmp_path, tmp_path, source="hello", version="1.0", architecture="amd64")


def test_what_cannot_be_read_is_said_without_paths_of_the_host(tmp_path):
    (tmp_path / "hello_1.0_amd64.changes").mkdir()
    with pytest.raises(StageFailed) as refused:
        read_results(tmp_path, tmp_path, source="hello", version="1.0", architecture="amd64")
    assert str(tmp_path) not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "size", "reason"),
    [
        ("hello_1.0_amd64.buildinfo", 2 << 20, "hello_1.0_amd64.buildinfo is larger than 1 MiB"),
        ("hello_1.0_amd64.deb", 9 << 30, "they are 9 GiB, and there is room for 64 MiB"),
    ],
)
def test_a_file_with_holes_is_as_large_as_it_says(tmp_path, name, size, reason):
    for made in ("hello_1.0_amd64.buildinfo", "hello_1.0_amd64.deb"):
        (tmp_path / made).touch()
    (tmp_path / "hello_1.0_amd64.changes").write_text("Source: hello\nVersion: 1.0\n")
    os.truncate(tmp_path / name, size)
    with pytest.raises(StageFailed, match=reason):
        read_results(
            tmp_path, tmp_path,
            limits=Limits(disk=64 << 20), source="hello", version="1.0", architecture="amd64",
        )  # fmt: skip
