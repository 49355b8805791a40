"""Reads which DEP-8 tests a source package declares and what they ask apt for.

autopkgtest decides what is run; this only counts the tests beforehand and
finds the packages that a machine without a network must have in place.
DEP-8: README.package-tests.rst of autopkgtest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from debian.deb822 import Deb822, PkgRelation
from debian.debian_support import DpkgArchTable

from ci_utils.errors import StageFailed
from ci_utils.source_package.control import LONG_SPACE
from ci_utils.source_package.names import valid_package_name

#: What autopkgtest installs by itself to build a source whose tests need the built tree.
BUILD_TOOLS = ("build-essential", "dpkg-dev", "fakeroot")

#: More than any package has; so many are an attack on whoever counts them.
MAX_TESTS = 10_000

Relation = Mapping[str, Any]


@dataclass(frozen=True)
class DeclaredTests:
    """Names of the tests in their order, their dependencies as in Depends, and whether they need a build."""

    names: tuple[str, ...] = ()
    dependencies: tuple[str, ...] = ()
    build_needed: bool = False


def read_tests(tests_control: str, source_control: str, *, architecture: str) -> DeclaredTests:
    """Read the text of debian/tests/control; `source_control` is that of debian/control.

    Raises `StageFailed` if there is a stanza that declares no test, or if there are too many.
    """
    control = _SourceControl(source_control, architecture)
    names: list[str] = []
    dependencies: dict[str, None] = {}
    build_needed = False
    unnamed = 0
    for stanza in _stanzas(tests_control):
        found = _test_names(stanza, unnamed + 1)
        unnamed += found == [f"command{unnamed + 1}"]
        if not control.architecture_matches(_words(stanza.get("Architecture", ""))):
            continue
        names += found
        if len(names) > MAX_TESTS:
            raise StageFailed(f"debian/tests/control declares more than {MAX_TESTS} tests")
        restrictions = set(_words(stanza.get("Restrictions", "")))
        dependencies |= dict.fromkeys(control.test_dependencies(stanza.get("Depends", "@"), restrictions))
        build_needed = build_needed or "build-needed" in restrictions
    if build_needed:
        dependencies |= dict.fromkeys([*control.build_dependencies(), *BUILD_TOOLS])
    return DeclaredTests(tuple(names), tuple(dependencies), build_needed)


def uses_autodep8(source_control: str) -> bool:
    """Whether the source declares a suite that the tool autodep8 writes out."""
    source = next(_stanzas(source_control), {})
    return "autopkgtest-pkg-" in source.get("Testsuite", "")


class _SourceControl:
    """debian/control as far as test dependencies refer to it."""

    def __init__(self, text: str, architecture: str) -> None:
        stanzas = list(_stanzas(text))
        self._source = stanzas[0] if stanzas else {}
        self._packages = [s for s in stanzas[1:] if s.get("Package-Type", "deb") == "deb"]
        self._architecture = architecture
        self._table = DpkgArchTable.load_arch_table()
        self._written_out: set[str] = set()

    def architecture_matches(self, wildcards: Iterable[str]) -> bool:
        """Whether a list such as `any`, `linux-any !i386` includes the machine's architecture."""
        wildcards = list(wildcards)
        refused = [w[1:] for w in wildcards if w.startswith("!")]
        allowed = [w for w in wildcards if not w.startswith("!")]
        if any(self._table.matches_architecture(self._architecture, w) for w in refused):
            return False
        return not allowed or any(
            w == "all" or self._table.matches_architecture(self._architecture, w) for w in allowed
        )

    def test_dependencies(self, depends: str, restrictions: set[str]) -> Iterator[str]:
        """The groups of a test's Depends with @, @builddeps@ and @recommends@ written out.

        A group that an earlier test had is left out: many tests with many
        packages would otherwise be their product.
        """
        groups = [group.strip() for group in depends.split(",")]
        if "needs-recommends" in restrictions:
            groups.append("@recommends@")
        for group in groups:
            if group in self._written_out:
                continue
            self._written_out.add(group)
            if group == "@":
                yield from self._own_packages()
            elif group == "@builddeps@":
                yield from self.build_dependencies()
                yield "build-essential"
            elif group == "@recommends@":
                yield from self._recommends()
            else:
                yield from self._resolved(group)
        if "needs-sudo" in restrictions:
            yield "sudo"

    def build_dependencies(self) -> Iterator[str]:
        for name in ("Build-Depends", "Build-Depends-Indep", "Build-Depends-Arch"):
            yield from self._resolved(self._source.get(name, ""))

    def _own_packages(self) -> Iterator[str]:
        for package in self._packages:
            name = package.get("Package", "").strip()
            if valid_package_name(name) and self.architecture_matches(
                _words(package.get("Architecture", ""))
            ):
                yield name

    def _recommends(self) -> Iterator[str]:
        for package in self._packages:
            groups = package.get("Recommends", "").split(",")
            yield from self._resolved(",".join(group for group in groups if "${" not in group))

    def _resolved(self, relations: str) -> Iterator[str]:
        """Groups of alternatives that count on this architecture, without their conditions.

        What cannot be read is left out here: autopkgtest names it in its log.
        """
        for group in PkgRelation.parse_relations(relations) if relations.strip() else []:
            alternatives = [_text(r) for r in group if self._counts(r)]
            if alternatives:
                yield " | ".join(alternatives)

    def _counts(self, relation: Relation) -> bool:
        if not valid_package_name(relation["name"]):
            return False
        conditions = relation.get("arch") or []
        if not self.architecture_matches(f"{'' if c.enabled else '!'}{c.arch}" for c in conditions):
            return False
        # No build profile is active: only a formula of negated terms holds.
        formulas = relation.get("restrictions") or []
        return not formulas or any(all(not term.enabled for term in terms) for terms in formulas)


def _text(relation: Relation) -> str:
    version = relation.get("version")
    return f"{relation['name']} ({version[0]} {version[1]})" if version else str(relation["name"])


def _test_names(stanza: Mapping[str, str], number: int) -> list[str]:
    if names := _words(stanza.get("Tests", "")):
        return names
    if "Test-Command" not in stanza:
        raise StageFailed("debian/tests/control has a stanza with neither Tests nor Test-Command")
    features = dict(f.partition("=")[::2] for f in _words(stanza.get("Features", "")))
    return [features.get("test-name") or f"command{number}"]


def _words(value: str) -> list[str]:
    return value.replace(",", " ").split()


def _stanzas(text: str) -> Iterator[Mapping[str, str]]:
    """Stanzas of a control file without comments, which autopkgtest allows anywhere in a line."""
    lines = []
    for line in LONG_SPACE.sub(" ", text).splitlines():
        content = line.partition("#")[0]
        if content.strip() or not line.strip():
            lines.append(f"{content}\n")
    return iter(Deb822.iter_paragraphs(lines, use_apt_pkg=False))
