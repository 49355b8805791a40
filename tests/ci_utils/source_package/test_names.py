"""The syntax of names and versions."""

from __future__ import annotations

import pytest

from ci_utils.source_package.names import (
    valid_distribution,
    valid_file_name,
    valid_package_name,
    valid_version,
    without_epoch,
)


@pytest.mark.parametrize("name", ["hello", "libstdc++6", "0ad", "python3.11"])
def test_names_of_packages_are_accepted(name):
    assert valid_package_name(name)


@pytest.mark.parametrize("name", ["", "a", "Hello", "-hello", "../x", "hello\n", "hellö", "a b", "x" * 201])
def test_other_names_are_no_packages(name):
    assert not valid_package_name(name)


@pytest.mark.parametrize("version", ["1", "2.10-4", "1:2.3-4ubuntu5~ppa1", "0~git2020+ds-1", "1-2-3"])
def test_versions_are_accepted(version):
    assert valid_version(version)


@pytest.mark.parametrize(
    "version", ["", "x1", "1:", ":1", "a:1", "1:2:3", "1/2", "1-", "1 2", "1\n", "1_2", "٣"]
)
def test_other_strings_are_no_versions(version):
    assert not valid_version(version)


@pytest.mark.parametrize("name", ["hello_2.10-4.dsc", "a_1~b+c.orig-x.tar.gz.asc"])
def test_plain_file_names_are_accepted(name):
    assert valid_file_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        ".hidden",
        "-rf",
        "a/b",
        "../a",
        "a\\b",
        "a\x00",
        "a b",
        "ä",
        "a\u202eb",
        "a%2fb",
        "x" * 201,
    ],
)
def test_file_names_that_are_not_plain_are_refused(name):
    assert not valid_file_name(name)


def test_a_distribution_is_one_suite():
    assert valid_distribution("noble-proposed")
    assert not valid_distribution("noble jammy")


def test_file_names_have_the_version_without_its_epoch():
    assert without_epoch("2:1.0-1") == "1.0-1"
    assert without_epoch("1.0-1") == "1.0-1"
