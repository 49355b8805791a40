"""What the index of an archive says of a source is what was checked, whatever its .dsc says besides."""

from __future__ import annotations

import pytest
from debian.deb822 import Dsc

from ci_utils.archive.source_stanza import source_row
from ci_utils.errors import UploadRejected
from ci_utils.source_package.dsc import parse_dsc
from tests.ci_utils.source_package.uploads import Upload


def indexed(**fields: str) -> Dsc:
    upload = Upload(dsc_fields={name.replace("_", "-"): value for name, value in fields.items()})
    dsc = upload.contents()[upload.dsc_name]
    return Dsc(source_row("ppa:local/main", parse_dsc(dsc, upload.dsc_name), dsc).stanza)


@pytest.mark.parametrize("field", ["Package", "package", "PACKAGE"])
def test_a_source_cannot_be_indexed_under_the_name_of_another(field):
    assert indexed(**{field: "bash"})["Package"] == "hello"


@pytest.mark.parametrize("field", ["Directory", "DIRECTORY"])
def test_the_directory_is_the_one_where_the_archive_put_it(field):
    assert indexed(**{field: "../../etc"})["Directory"] == "pool/main/h/hello"


@pytest.mark.parametrize(
    "line",
    ["{md5} 5 ../../x hello_1.orig.tar.gz", "{md5}\xa0 5 hello_1.orig.tar.gz", "x 5 hello_1.orig.tar.gz"],
)
def test_a_list_of_files_with_other_columns_is_refused(line):
    digest, md5 = "0" * 64, "0" * 32
    with pytest.raises(UploadRejected, match="no valid entry for"):
        indexed(Files=f"\n {line.format(md5=md5)}", Checksums_Sha256=f"\n {digest} 5 hello_1.orig.tar.gz")


@pytest.mark.timeout(60)
def test_a_hundred_spaces_in_a_row_are_refused():
    with pytest.raises(UploadRejected, match="spaces in a row"):
        indexed(X=f"a{' ' * (1 << 19)}b")
