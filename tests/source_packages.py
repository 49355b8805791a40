"""Real source packages, small enough that a build takes a second, for tests that build them."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.ci_utils.source_package.uploads import SigningKey

RULES = """#!/usr/bin/make -f
clean:
\trm -rf debian/stage debian/files
build build-arch build-indep:
\t{build}
binary-arch:
binary binary-indep: build
\trm -rf debian/stage
\tmkdir -p debian/stage/DEBIAN debian/stage/usr/bin
\tprintf '#!/bin/sh\\necho {name} {version}\\n' > debian/stage/usr/bin/{name}
\tchmod 755 debian/stage/usr/bin/{name}
\tcp debian/maintscripts/* debian/stage/DEBIAN/ 2>/dev/null || true
\tdpkg-gencontrol -p{name} -Pdebian/stage
\tdpkg-deb --root-owner-group --build debian/stage ..
.PHONY: clean build build-arch build-indep binary binary-arch binary-indep
"""


@dataclass
class SourcePackage:
    """A native package with one binary that prints its name and version.

    `tests` maps names of DEP-8 tests to shell scripts, `build` is what the
    build runs, `maintscripts` maps names such as `postinst` to their text.
    """

    name: str = "tiny"
    version: str = "1.0"
    build: str = "true"
    build_depends: str = ""
    depends: str = ""
    tests: Mapping[str, str] = field(default_factory=dict)
    test_depends: str = "@"
    maintscripts: Mapping[str, str] = field(default_factory=dict)
    series: str = "unstable"

    def upload(self, directory: Path, key: SigningKey) -> Path:
        """Make the signed source upload; returns the path of its .changes."""
        tree = directory / f"{self.name}-{self.version}"
        self._write(tree)
        _run(tree, "dpkg-source", "--build", ".")
        dsc = directory / f"{self.name}_{self.version}.dsc"
        dsc.write_bytes(key.clearsign(dsc.read_bytes()))
        changes = directory / f"{self.name}_{self.version}_source.changes"
        changes.write_bytes(key.clearsign(_run(tree, "dpkg-genchanges", "--build=source", "-q")))
        return changes

    def _write(self, tree: Path) -> None:
        files = {
            "debian/changelog": f"{self.name} ({self.version}) {self.series}; urgency=medium\n\n"
            "  * A change.\n\n -- Test <test@example.com>  Mon, 02 Nov 2026 10:00:00 +0000\n",
            "debian/control": self._control(),
            "debian/rules": RULES.format(name=self.name, version=self.version, build=self.build),
            "debian/source/format": "3.0 (native)\n",
        }
        files |= {f"debian/maintscripts/{name}": text for name, text in self.maintscripts.items()}
        if self.tests:
            names = ", ".join(self.tests)
            files["debian/tests/control"] = f"Tests: {names}\nDepends: {self.test_depends}\n"
            files |= {f"debian/tests/{name}": f"#!/bin/sh\n{text}\n" for name, text in self.tests.items()}
        for name, text in files.items():
            path = tree / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            path.chmod(0o755 if text.startswith("#!") else 0o644)

    def _control(self) -> str:
        fields = {
            "Source": self.name,
            "Section": "misc",
            "Priority": "optional",
            "Maintainer": "Test <test@example.com>",
            "Build-Depends": self.build_depends,
            "Standards-Version": "4.6.2",
            "Rules-Requires-Root": "no",
        }
        binary = {
            "Package": self.name,
            "Architecture": "all",
            "Depends": self.depends,
            "Description": "a package for tests",
        }
        return "\n".join(_stanza(stanza) for stanza in (fields, binary))


def _stanza(fields: Mapping[str, str]) -> str:
    return "".join(f"{name}: {value}\n" for name, value in fields.items() if value)


def _run(tree: Path, *argv: str) -> bytes:
    return subprocess.run(argv, cwd=tree, check=True, capture_output=True).stdout
