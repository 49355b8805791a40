"""Tools that are missing and tools that hang: the ticket fails with that reason, the next one runs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.engine import Engine, until
from tests.faults import leftovers
from tests.source_packages import SourcePackage

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.timeout(900)]

HANGS = {"postinst": "#!/bin/sh\nsleep 600\n"}


@pytest.fixture
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with links to all programs of this machine."""
    directory = tmp_path_factory.mktemp("bin")
    places = [*os.environ["PATH"].split(":"), "/usr/sbin", "/usr/bin", "/sbin", "/bin"]
    for place in (Path(p) for p in places if Path(p).is_dir()):
        for program in place.iterdir():
            if not (directory / program.name).is_symlink():
                (directory / program.name).symlink_to(program)
    return directory


@pytest.fixture
def settings(tools: Path) -> dict[str, str]:
    return {"PATH": str(tools), "UCI_BUILD_TIMEOUT": "5", "UCI_IMAGE_TIMEOUT": "8"}


@contextmanager
def without(tools: Path, name: str) -> Iterator[None]:
    target = (tools / name).readlink()
    (tools / name).unlink()
    yield
    (tools / name).symlink_to(target)


def landed(engine: Engine, ticket: int) -> dict[str, Any]:
    return engine.wait_for_end(ticket)


@pytest.mark.sweep
def test_a_ticket_fails_by_what_is_missing_or_hangs_and_the_next_one_runs(engine, submit, tools):
    with without(tools, "apt-cache"), without(tools, "apt-get"):
        ended = landed(engine, submit(SourcePackage("first", "1.0")))
    assert ended["failed_workflow_step"] == "200"
    assert "is not installed; install it with: apt-get install apt" in ended["message"]

    with without(tools, "qemu-img"):
        ended = landed(engine, submit(SourcePackage("second", "1.0"), "-a", "second"))
    assert ended["failed_workflow_step"] == "300"
    assert "qemu-img is not installed; install it with: apt-get install qemu-utils" in ended["message"]

    ended = landed(engine, submit(SourcePackage("third", "1.0", build="sleep 600")))
    assert ended["failed_workflow_step"] == "200"
    assert "still building after 5 seconds" in ended["message"]

    ended = landed(engine, submit(SourcePackage("fourth", "1.0", maintscripts=HANGS), "-a", "fourth"))
    assert ended["failed_workflow_step"] == "300"
    assert "within 8 seconds" in ended["message"]

    needy = SourcePackage("fifth", "1.0", depends="no-such-package")
    ended = landed(engine, submit(needy, "-a", "fifth"))
    assert ended["failed_workflow_step"] == "300"
    assert "no-such-package" in ended["message"]

    until(lambda: [ppa["state"] for ppa in engine.client.get("ppa/")["objects"]] == ["free"])
    leftovers.none_soon(lambda: leftovers.programs(engine) + leftovers.files(engine))


def test_an_upload_that_cannot_be_verified_for_want_of_a_tool_is_not_queued(engine, submit, tools):
    ticket = submit(SourcePackage("unverified", "1.0", build="false"), "--wait")

    with without(tools, "gpgv"):
        refused = engine.ubuntu_ci("update_ticket", str(ticket), "--queue")
    assert refused.returncode != 0
    assert "gpgv is not installed; install it with: apt-get install gpgv" in refused.stderr
    assert engine.client.ticket(ticket)["current_workflow_step"] == "000"

    engine.client.queue(ticket)
    assert landed(engine, ticket)["failed_workflow_step"] == "200"
