"""An engine whose stages do nothing but wait for a gate: `python -m tests.web_ui.gated_engine run …`.

The image of every ticket is made once the file `gate` lies in the data
directory; tests of the source `goodbye` fail, all others pass. Before it
serves, it fills its database with exhibits.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import Any

from benchmarks import stub_engine
from ci_utils.errors import StageFailed
from ci_utils.hosting import database, main, ports

GATE = "gate"
PASSWORD = "wonderland-rabbit-42"
TESTS = [{"name": "greets", "result": "failed", "reason": "non-zero exit status 1", "seconds": 3}]


def image(task: Any) -> Mapping[str, object]:
    """Wait for the gate."""
    task.progress.status("installing the packages in the image", current=2, total=4)
    while not (ports.config().data_dir / GATE).exists():
        if task.cancelled():
            raise StageFailed("the ticket was cancelled")
        time.sleep(0.05)
    return {"image_id": "1", "image_name": f"ticket.{task.payload['ticket_id']}", "size": 5 << 20}


def test(task: Any) -> Mapping[str, object]:
    """Judge by the name of the source."""
    if "goodbye" not in task.payload["package_list"]:
        return {"status": "SUCCESS", "test_result": "PASSED", "results": {"sources": {}}}
    store = ports.data_stores().open(f"ticket.{task.payload['ticket_id']}", "test-runner", public=True)
    log = store.put_file(f"{task.key}-goodbye-autopkgtest.log", b"test greets: [-----\nno greeting at all\n")
    sources = {"goodbye": {"version": "1", "verdict": "failed", "tests": TESTS}}
    result: dict[str, object] = {"logs": [log], "results": {"sources": sources}}
    raise StageFailed("DEP-8 tests failed on the image: goodbye.greets", result=result)


def prepare(**options: Any) -> None:
    """Bring up database, stubs, users and exhibits."""
    prepare_database(**options)
    stub_engine._replace_adapters()
    fill()


def fill() -> None:
    """What there is to see: tickets of every kind, and people who log in."""
    from tests.web_ui.exhibits import make_ticket, run
    from web_ui.domain.users import add_user, users

    if users():
        return
    for name, operator in (("alice", False), ("bob", False), ("oscar", True)):
        add_user(name, PASSWORD, operator=operator)
    run(make_ticket("Greet in Esperanto", add_packages=["hello"], remove_packages=["nano"]), ago=90)
    run(make_ticket("Greet in Volapük"), ago=60, message="published; without DEP-8 tests of its own: hello")
    run(make_ticket("Greet in Interlingua"), ago=40)
    run(make_ticket("Greet in Klingon"), failed="build", message="hello does not build on amd64", ago=20)
    make_ticket("Quokka in private", private=True, submitter="alice", sources=[("quokka", "1-1")])


if __name__ == "__main__":
    stub_engine._image, stub_engine._test = image, test  # type: ignore[assignment]
    prepare_database, database.prepare = database.prepare, prepare
    sys.exit(main.main())
