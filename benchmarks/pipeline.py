"""Whole tickets for `hello` on the real engine, stage by stage, beside what the bare tools take.

The bare tools are not run here: sbuild's unshare mode refuses root and wants a
tarball of its own, and virt-customize needs libguestfs with a kernel of the
host. Their times are those measured once on the same kind of machine, warm.
"""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from benchmarks.engines import scratch
from benchmarks.figures import Figure, cpu_of_process
from benchmarks.idle_tickets import seconds_by_step, seconds_in_the_engine, submit
from ci_utils.apt.mirror import Mirror
from ci_utils.config import Config
from demo.source import SigningKey, make_upload, throw_away_key
from tests.cache import TEST_CACHE
from tests.end_to_end.engine import Engine, running_engine
from tests.end_to_end.shared_parts import lend, prepared

PACKAGE = "hello"
TICKETS = 2
POLL_SECONDS = 0.5
#: Seconds of the clock for hello: sbuild with its defaults, virt-customize, and with autopkgtest over ssh.
SBUILD, VIRT_CUSTOMIZE, NAIVE_CHAIN = 32.0, 28.0, 202.0
BEFORE_TESTS = ("Package Building", "Image Building")


@dataclass(frozen=True)
class Landed:
    """Seconds by the clock in the engine and by step; `cpu` by step is of the engine and what it started."""

    whole: float
    steps: dict[str, float]
    cpu: dict[str, float]


def run() -> list[Figure]:
    with scratch() as directory, throw_away_key() as key:
        lend(prepared(TEST_CACHE / "engine"), directory / "data")
        with running_engine(directory) as engine:
            added = engine.command("uploader", "add", key.public_file)
            assert added.returncode == 0, added.stderr
            landed = [_land(engine, directory, key, number) for number in range(1, TICKETS + 1)]
    first, again = landed[0], landed[-1]
    return [
        *(
            Figure(f"{PACKAGE}: {step}", took, "s", "", _note(again.cpu.get(step, 0), first.steps[step]))
            for step, took in again.steps.items()
        ),
        _beside(f"{PACKAGE}: build, archive and image", _untested(again), SBUILD + VIRT_CUSTOMIZE, 0.35),
        _beside(f"{PACKAGE}: the whole ticket", again.whole, NAIVE_CHAIN, 0.4),
        Figure(f"{PACKAGE}: processor time without the machine's", sum(again.cpu.values()), "s"),
    ]


def _land(engine: Engine, directory: Path, key: SigningKey, number: int) -> Landed:
    assert engine.process
    place = directory / f"upload-{number}"
    place.mkdir()
    settings = Config.from_environment({"UCI_DATA_DIR": str(engine.data_dir)})
    mirror = Mirror(settings.data_dir / "cache" / "apt", settings.series, settings.mirror)
    upload = make_upload(PACKAGE, f"+bench{number}", mirror=mirror, directory=place, key=key)
    ticket_id = submit(engine, upload.changes, add=[PACKAGE])
    cpu = _cpu_by_step(engine, engine.process.pid, ticket_id)
    ticket = engine.client.ticket(ticket_id)
    assert ticket["current_workflow_step"] == "1000", engine.log.read_text()[-4000:]
    steps = {name: took for name, took in seconds_by_step(ticket).items() if name != "New"}
    return Landed(seconds_in_the_engine(ticket), steps, cpu)


def _cpu_by_step(engine: Engine, process: int, ticket_id: int) -> dict[str, float]:
    """Follow a ticket to its end; what the engine and its ended children used during each of its steps."""
    used: defaultdict[str, float] = defaultdict(float)
    client, before = engine.client, cpu_of_process(process)
    while True:
        ticket = client.ticket(ticket_id)
        now = cpu_of_process(process)
        used[ticket["step_name"]] += now - before
        before = now
        if ticket["ended_at"]:
            return dict(used)
        time.sleep(POLL_SECONDS)


def _untested(landed: Landed) -> float:
    return sum(landed.steps[step] for step in BEFORE_TESTS)


def _beside(name: str, took: float, bare: float, target: float) -> Figure:
    note = f"{took / bare:.2f} of the {bare:.0f} s that the bare tools take"
    return Figure(name, took, "s", f"<= {target} of bare tools", note)


def _note(cpu: float, first: float) -> str:
    return f"{cpu:.1f} s of processor; {first:.1f} s for the first ticket"
