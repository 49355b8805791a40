"""DEP-8 control files say which tests there are and which packages they ask for."""

from __future__ import annotations

import pytest

from ci_utils.errors import StageFailed
from test_runner.domain.dep8 import read_tests, uses_autodep8

CONTROL = """\
Source: demo
Build-Depends: debhelper-compat (= 13), libfoo-dev [linux-any], libbar-dev [i386],
 docs <!nodoc>, stage <stage1>, tool:native

Package: demo
Architecture: any
Recommends: manual, ${shlibs:Recommends}, extra (>= ${source:Version})

Package: demo-all
Architecture: all

Package: demo-other
Architecture: i386

Package: demo-udeb
Package-Type: udeb
Architecture: any
"""


def declared_by(text: str):
    return read_tests(text, CONTROL, architecture="amd64")


def test_every_name_is_a_test():
    declared = declared_by("Tests: one, two\n three\nDepends:\n\nTests: four\nDepends:\n")
    assert declared.names == ("one", "two", "three", "four")


def test_commands_are_numbered_unless_they_have_a_name():
    text = (
        "Test-Command: a\nDepends:\n\nTest-Command: b\nFeatures: test-name=smoke\nDepends:\n\n"
        "Test-Command: c\nDepends:\n"
    )
    assert declared_by(text).names == ("command1", "smoke", "command2")


def test_without_depends_the_packages_of_the_source_are_needed():
    assert declared_by("Tests: one\n").dependencies == ("demo", "demo-all")


def test_an_empty_depends_needs_nothing():
    assert declared_by("Tests: one\nDepends:\n").dependencies == ()


def test_alternatives_versions_and_architectures_are_kept_or_resolved():
    declared = declared_by("Tests: one\nDepends: @, jq (>= 1.5) | gojq, gcc [linux-any], wine [i386]\n")
    assert declared.dependencies == ("demo", "demo-all", "jq (>= 1.5) | gojq", "gcc")


def test_build_dependencies_count_as_without_profiles_on_this_architecture():
    declared = declared_by("Tests: one\nDepends: @builddeps@\n")
    assert declared.dependencies == (
        "debhelper-compat (= 13)",
        "libfoo-dev",
        "docs",
        "tool",
        "build-essential",
    )


def test_recommended_packages_without_substitutions_are_needed_when_asked_for():
    assert declared_by("Tests: one\nDepends: @recommends@\n").dependencies == ("manual",)
    assert "manual" in declared_by("Tests: one\nRestrictions: needs-recommends\n").dependencies


def test_a_test_that_needs_sudo_needs_the_package():
    assert declared_by("Tests: one\nDepends:\nRestrictions: needs-sudo\n").dependencies == ("sudo",)


def test_a_test_on_the_built_tree_needs_what_builds_it():
    declared = declared_by("Tests: one\nDepends:\nRestrictions: allow-stderr, build-needed\n")
    assert declared.build_needed
    assert {"debhelper-compat (= 13)", "build-essential", "dpkg-dev"} <= set(declared.dependencies)


def test_tests_for_other_architectures_do_not_count():
    text = (
        "Tests: one\nArchitecture: !amd64\n\nTests: two\nArchitecture: any-i386\n\nTests: three\nDepends:\n"
    )
    assert declared_by(text).names == ("three",)
    assert declared_by(text).dependencies == ()


def test_comments_may_stand_anywhere():
    declared = declared_by("# first\nTests: one # why\n# between\nDepends: jq, # more\n # alone\n hello\n")
    assert (declared.names, declared.dependencies) == (("one",), ("jq", "hello"))


def test_what_cannot_be_read_is_left_to_autopkgtest():
    declared = declared_by("Tests: one\nDepends: jq, foo'); system(\"id\"); ('\n")
    assert declared.dependencies == ("jq",)


def test_a_stanza_without_tests_is_refused():
    with pytest.raises(StageFailed, match="neither Tests nor Test-Command"):
        declared_by("Depends: jq\n")


def test_no_control_file_is_no_tests():
    assert declared_by("").names == ()


def test_suites_of_autodep8_are_known_by_the_source_stanza():
    assert uses_autodep8("Source: a\nTestsuite: autopkgtest-pkg-python\n")
    assert not uses_autodep8("Source: a\nTestsuite: autopkgtest\n")
    assert not uses_autodep8("Source: a\n\nPackage: b\nTestsuite: autopkgtest-pkg-python\n")


def test_a_package_without_an_architecture_breaks_nothing():
    declared = read_tests("Tests: one\n", "Source: a\n\nPackage: aa\n", architecture="amd64")
    assert declared.dependencies == ("aa",)


def test_too_many_tests_are_refused():
    with pytest.raises(StageFailed, match="more than 10000 tests"):
        declared_by("Tests: " + " ".join(f"t{n}" for n in range(10_001)))


@pytest.mark.timeout(60)
def test_many_tests_of_many_packages_are_not_their_product():
    packages = "".join(f"\nPackage: p{n}\nArchitecture: all\n" for n in range(10_000))
    declared = read_tests("Tests: t\n\n" * 9_999, f"Source: a\n{packages}", architecture="amd64")
    assert len(declared.dependencies) == 10_000


@pytest.mark.timeout(60)
def test_a_megabyte_of_spaces_in_a_control_file_holds_nobody_up():
    source = f"Source: a\nX: a{' ' * (1 << 20)}b\n\nPackage: aa\nArchitecture: all\n"
    assert read_tests("Tests: one\n", source, architecture="amd64").dependencies == ("aa",)
