"""Packages that take all they can get: the build fails with the reason, and the next one is built."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from pathlib import Path

import pytest

from ci_utils.archive.port import BuildState
from tests.ci_utils.sandbox.test_limits import abandoned_groups
from tests.end_to_end.engine import until
from tests.isolation.bombs import Bomb, huge_file, many_files, ways_out
from tests.isolation.conftest import Builder
from tests.source_packages import SourcePackage

pytestmark = [pytest.mark.system, pytest.mark.timeout(900)]


@pytest.fixture(autouse=True)
def _nothing_is_left(builder: Builder):
    """No file of a build, no mount, no group; other tests mount and are killed beside these."""
    before = abandoned()
    yield
    until(lambda: not list(builder.root.glob("archives/.state/builds/*/work")))  # goes after its record
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    assert [mount for mount in mounts if str(builder.root) in mount] == []
    until(lambda: abandoned() <= before)


def abandoned() -> set[Path]:
    """Control groups that nobody clears away."""
    while True:
        with suppress(FileNotFoundError):  # those of others go while they are listed
            return abandoned_groups()


@pytest.mark.parametrize(
    ("name", "build", "reason"),
    [
        ("forks", "perl -e 'fork while 1'", "it started more than 300 processes"),
        ("eats", "perl -e 'push @k, \"x\" x 10_000_000 while 1'", "it used more than 1 GiB of memory"),
        ("fills", "dd if=/dev/zero of=file bs=1M", "it filled the 64 MiB of disk that it may use"),
        ("fillsresults", "dd if=/dev/zero of=/run/results/x bs=1M", "it filled the 64 MiB of disk"),
    ],
)
def test_a_greedy_build_fails_with_the_reason(
    builder: Builder, name: str, build: str, reason: str, tmp_path: Path
):
    ended, log = builder.build(SourcePackage(name, build=build), tmp_path)
    assert ended.state is BuildState.FAILED
    assert ended.reason.startswith(f"{name} 1.0 failed to build: {reason}")
    assert ended.reason in log


@pytest.mark.slow
def test_a_build_cannot_write_into_its_log_where_it_wants(builder: Builder, tmp_path: Path):
    far = "perl -e 'for $$p (0, 1 << 42) { sysseek STDOUT, $$p, 0; syswrite STDOUT, qq(anywhere\\n) }'"
    ended, log = builder.build(SourcePackage("seeks", build=far), tmp_path)
    assert ended.state is BuildState.BUILT
    assert log.startswith("+====")
    assert "anywhere\nanywhere\n" in log
    assert log.endswith("Status: successful\n")


@pytest.mark.slow
@pytest.mark.parametrize(("name", "fill"), [("huge", huge_file), ("many", many_files)])
def test_a_source_that_unpacks_to_too_much_fails_with_the_reason(
    builder: Builder, name: str, fill, tmp_path: Path
):
    ended, _ = builder.build(Bomb(name, fill=fill), tmp_path)
    assert ended.state is BuildState.FAILED
    assert ended.reason == f"{name} 1.0 failed to build: it filled the 64 MiB of disk that it may use"


@pytest.mark.slow
def test_no_member_of_a_source_is_written_outside(builder: Builder, tmp_path: Path):
    with tempfile.TemporaryDirectory(prefix="uci-victim-", dir="/var/tmp") as directory:
        victim = Path(directory)
        victim.chmod(0o777)
        (victim / "kept").write_text("kept")
        (victim / "kept").chmod(0o666)
        for name, fill in ways_out(victim).items():
            ended, log = builder.build(Bomb(name, fill=fill), tmp_path)
            assert ended.state.ended, log
            assert [path.name for path in victim.iterdir()] == ["kept"]
            assert (victim / "kept").read_text() == "kept"


def test_the_next_package_is_built(builder: Builder, tmp_path: Path):
    ended, log = builder.build(SourcePackage("modest"), tmp_path)
    assert ended.state is BuildState.BUILT, log
