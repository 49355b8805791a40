"""apt's solver for build dependencies, on a made-up dpkg status."""

from __future__ import annotations

from pathlib import Path

import pytest

from ci_utils.apt.mirror import Mirror
from ci_utils.apt.resolver import Resolver, Unsatisfiable

pytestmark = [pytest.mark.system]

DSC = """\
Format: 3.0 (native)
Source: demo
Binary: demo
Architecture: any
Version: 1
Maintainer: Test <test@example.com>
{fields}
Files:
 d41d8cd98f00b204e9800998ecf8427e 0 demo_1.tar.gz
"""


@pytest.fixture
def resolver(mirror: Mirror, tmp_path: Path) -> Resolver:
    status = tmp_path / "status"
    status.write_text(
        "Package: build-essential\nStatus: install ok installed\nArchitecture: amd64\nVersion: 99\n"
        "Maintainer: Test <test@example.com>\nDescription: stands for the root\n"
    )
    resolver = Resolver(mirror, tmp_path / "resolver", status)
    resolver.refresh()
    return resolver


def dsc(directory: Path, *fields: str) -> Path:
    path = directory / "demo_1.dsc"
    path.write_text(DSC.format(fields="\n".join(fields)))
    return path


def test_dependencies_of_every_kind_are_resolved(resolver: Resolver, tmp_path: Path):
    plan = resolver.build_dependencies(
        dsc(
            tmp_path,
            "Build-Depends: sensible-utils",
            "Build-Depends-Indep: netbase",
            "Build-Depends-Arch: media-types",
        )
    )
    names = {package.filename.split("_")[0] for package in plan.packages}
    assert {"sensible-utils", "netbase", "media-types"} <= names
    assert all(package.digest.startswith("SHA256:") for package in plan.packages)


def test_the_same_set_has_the_same_key(resolver: Resolver, tmp_path: Path):
    one = resolver.build_dependencies(dsc(tmp_path, "Build-Depends: netbase, sensible-utils"))
    two = resolver.build_dependencies(dsc(tmp_path, "Build-Depends: sensible-utils, netbase (>= 1)"))
    three = resolver.build_dependencies(dsc(tmp_path, "Build-Depends: netbase"))
    assert one.key == two.key
    assert one.key != three.key


def test_what_cannot_be_had_is_named(resolver: Resolver, tmp_path: Path):
    with pytest.raises(Unsatisfiable) as caught:
        resolver.build_dependencies(dsc(tmp_path, "Build-Depends: libnonesuch-dev (>= 2), netbase"))
    assert caught.value.what == "libnonesuch-dev (>= 2)"


def test_a_conflict_with_the_root_is_named(resolver: Resolver, tmp_path: Path):
    with pytest.raises(Unsatisfiable) as caught:
        resolver.build_dependencies(dsc(tmp_path, "Build-Conflicts: build-essential"))
    assert caught.value.what == "build-essential"


def test_packages_are_fetched_and_kept_for_others(resolver: Resolver, mirror: Mirror, tmp_path: Path):
    source = dsc(tmp_path, "Build-Depends: sensible-utils")
    plan = resolver.build_dependencies(source)
    debs = resolver.fetch(source, plan)
    assert [deb.name for deb in debs] == [package.filename for package in plan.packages]
    assert all((mirror.debs_dir / deb.name).is_file() for deb in debs)
