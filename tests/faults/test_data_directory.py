"""A data directory that is locked, read-only, moved away, or as old as a power cut left it."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import groupby
from pathlib import Path

import pytest
import requests

from tests.end_to_end.engine import VENV_BIN, Engine, until
from tests.faults import leftovers
from tests.source_packages import SourcePackage

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.timeout(900)]


def steps(engine: Engine, ticket: int) -> list[str]:
    """The steps of a ticket, each once if none was gone through twice."""
    history = [change["workflow_step"] for change in engine.client.ticket(ticket)["history"]]
    return [step for step, _ in groupby(history)]


@contextlib.contextmanager
def locked(database: Path) -> Iterator[None]:
    """A database that somebody else writes to and does not let go."""
    with contextlib.closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            connection.execute("ROLLBACK")


@pytest.mark.sweep
def test_a_locked_database_is_a_clear_answer_and_a_pause(engine, submit):
    ticket = submit(
        SourcePackage("steady", "1.0", build="sleep 3", depends="no-such-package"), "-a", "steady"
    )
    until(lambda: "building steady" in engine.client.ticket(ticket)["message"])

    with locked(engine.data_dir / "engine.sqlite3"):
        token = (engine.data_dir / "local-token").read_text().strip()
        answer = requests.post(
            f"{engine.url}/api/v1/ticket/{ticket}/cancel/",
            json={},
            headers={"Authorization": f"Bearer {token}"},
            timeout=60,
        )
        reading = requests.get(f"{engine.url}/api/v1/fullticket/{ticket}/", timeout=60)

    assert answer.status_code == 503, answer.text
    assert "database" in answer.json()["error"]
    assert reading.status_code == 200
    # The cancellation was refused, so the ticket goes on.
    assert engine.wait_for_end(ticket, 120)["failed_workflow_step"] == "300"


def test_an_engine_on_a_read_only_database_says_so_and_does_not_start(engine):
    engine.stop()
    database = engine.data_dir / "engine.sqlite3"
    frozen = f'mount --bind "{database}" "{database}" && mount -o remount,ro,bind "{database}"'
    done = subprocess.run(
        [
            *("unshare", "--map-root-user", "--mount", "sh", "-c", f'{frozen} && exec "$@"', "sh"),
            *(VENV_BIN / "uci-engine", "run", "--listen", "127.0.0.1:0"),
        ],
        env=engine.environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    assert done.returncode == 1, done.stdout + done.stderr
    assert "the database cannot be used (UCI_DATABASE, UCI_DATA_DIR)" in done.stderr
    assert "readonly" in done.stderr
    assert "Traceback" not in done.stderr
    assert "Serving" not in done.stdout


def test_a_data_directory_that_was_moved_away_is_a_clear_answer(engine, submit):
    ticket = submit(SourcePackage("early", "1.0", build="false"))
    engine.wait_for_end(ticket)
    away = engine.data_dir.with_name("away")
    token = (engine.data_dir / "local-token").read_text().strip()

    engine.data_dir.rename(away)
    answers = [
        requests.get(f"{engine.url}/api/v1/fullticket/{ticket}/", timeout=60),
        requests.post(
            f"{engine.url}/api/v1/ticket/",
            json={"title": "t", "owner": "me@example.com"},
            headers={"Authorization": f"Bearer {token}"},
            timeout=60,
        ),
    ]
    engine.stop()

    assert [answer.status_code for answer in answers] == [503, 503], [a.text for a in answers]
    for answer in answers:
        assert "database" in answer.json()["error"]
    # No half of an engine was made in its place.
    assert not engine.data_dir.exists()
    away.rename(engine.data_dir)
    engine.start()
    assert engine.client.ticket(ticket)["failed_workflow_step"] == "200"
    following = submit(SourcePackage("early", "1.1", build="false"))
    assert engine.wait_for_end(following)["failed_workflow_step"] == "200"


def test_a_copy_of_the_data_made_in_the_middle_of_work_goes_on(engine, submit):
    late = {"postinst": "#!/bin/sh\nsleep 6\nexit 1\n"}
    package = SourcePackage("steady", "1.0", build="sleep 6", maintscripts=late)
    ticket = submit(package, "-a", "steady")
    messages = ("building steady", "installing the packages in the image")
    copies: list[Engine] = []
    for message in messages:
        until(partial(_says, engine, ticket, message))
        copies.append(_copy(engine, engine.data_dir.parent / f"copy-{len(copies)}"))
    engine.wait_for_end(ticket)
    engine.stop()

    for copy in copies:
        with _running(copy):
            ended = copy.wait_for_end(ticket)
            assert (ended["status"], ended["failed_workflow_step"]) == ("999", "300"), ended["message"]
            assert steps(copy, ticket) == ["000", "100", "200", "300", "999"]
            until(partial(_pool_is_free, copy))
            leftovers.none_soon(partial(leftovers.files, copy))


def _says(engine: Engine, ticket: int, message: str) -> bool:
    return message in engine.client.ticket(ticket)["message"]


def _pool_is_free(engine: Engine) -> bool:
    return [ppa["state"] for ppa in engine.client.get("ppa/")["objects"]] == ["free"]


def _copy(engine: Engine, directory: Path) -> Engine:
    """An engine on a copy of the data as it is now, file after file, while the work goes on."""
    directory.mkdir(mode=0o755)
    data = directory / "data"
    data.mkdir(mode=0o755)
    images = engine.data_dir / "images"
    others = sorted(path for path in engine.data_dir.iterdir() if path != images)
    # Images are never written to; where a disk copies them slowly, the work would have ended meanwhile.
    for how, copied in (("--reflink=auto", others), ("--link", [images])):
        # Each file is read at another moment, as a disk would have kept them; what vanishes is gone.
        subprocess.run(["cp", "--archive", how, *copied, data], stderr=subprocess.DEVNULL, check=False)
    return replace(engine, data_dir=data, log=directory / "engine.log", process=None, url="")


@contextlib.contextmanager
def _running(engine: Engine) -> Iterator[None]:
    engine.start()
    try:
        yield
    finally:
        engine.stop()


def test_a_file_where_the_data_directory_should_be_is_refused(tmp_path):
    (tmp_path / "data").write_text("not a directory")
    engine = Engine(tmp_path / "data", {}, tmp_path / "engine.log")

    done = engine.command("run", "--listen", "127.0.0.1:0")

    assert done.returncode == 1
    assert "UCI_DATA_DIR: cannot use" in done.stderr
    assert "Traceback" not in done.stderr
