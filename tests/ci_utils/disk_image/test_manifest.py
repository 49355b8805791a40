"""Manifests and what differs between two."""

from __future__ import annotations

import pytest

from ci_utils.disk_image.manifest import difference, manifest_text, parse_status
from ci_utils.errors import StageFailed

STATUS = """\
Package: hello
Status: install ok installed
Architecture: amd64
Version: 2.10-3

Package: gone
Status: deinstall ok config-files
Architecture: amd64
Version: 1

Package: libc6
Status: hold ok installed
Architecture: amd64
Version: 2.36-9

Package: libc6
Status: install ok installed
Architecture: i386
Version: 2.36-9
Description: a field
 with a line more
"""


def test_only_installed_packages_are_listed_by_name():
    assert parse_status(STATUS) == {"hello": "2.10-3", "libc6:amd64": "2.36-9", "libc6:i386": "2.36-9"}
    assert list(parse_status(STATUS)) == ["hello", "libc6:amd64", "libc6:i386"]


def test_a_manifest_is_one_line_for_each_package():
    assert manifest_text({"a": "1", "b": "2"}) == "a\t1\nb\t2\n"


def test_a_difference_says_what_came_what_went_and_what_changed():
    found = difference({"a": "1", "b": "1", "c": "1"}, {"b": "2", "c": "1", "d": "1"})
    assert (found.added, found.removed, found.changed) == ({"d": "1"}, {"a": "1"}, {"b": ("1", "2")})
    assert found.to_text() == "- a 1\n~ b 1 -> 2\n+ d 1\n"


def test_equal_manifests_do_not_differ():
    assert difference({"a": "1"}, {"a": "1"}).to_text() == ""


@pytest.mark.parametrize("field", ["Package", "Version", "Architecture"])
@pytest.mark.parametrize("value", ["", "a\n b", "a b", "\u0661"])
def test_a_list_of_packages_that_was_tampered_with_is_refused(field, value):
    fields = {"Package": "a", "Status": "install ok installed", "Version": "1", "Architecture": "all"}
    status = "".join(f"{name}: {text}\n" for name, text in {**fields, field: value}.items())
    with pytest.raises(StageFailed, match="is damaged"):
        parse_status(status)


def test_a_list_of_packages_that_is_no_control_file_is_refused():
    with pytest.raises(StageFailed, match="is damaged"):
        parse_status("A:\x1c :\x1c :")
