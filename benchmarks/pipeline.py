"""Whole tickets for `hello` on the real engine, in turn with the bare tools on the same source.

Where a tool cannot be had, the reason stands where its time would.
"""

from __future__ import annotations

import shutil
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.bare_tools import BareTools, ToolUnavailable
from benchmarks.engines import scratch
from benchmarks.figures import Figure, Spent, cpu_of_process, median, spent
from benchmarks.idle_tickets import seconds_by_step, seconds_in_the_engine, submit
from ci_utils.apt.mirror import Mirror
from ci_utils.commands import run as run_program
from ci_utils.config import Config
from ci_utils.errors import CIError
from demo.source import Upload, make_upload, throw_away_key
from tests.cache import TEST_CACHE
from tests.end_to_end.engine import Engine, running_engine
from tests.end_to_end.shared_parts import lend, prepared

PACKAGE = "hello"
TICKETS = 2
POLL_SECONDS = 0.5
SBUILD, CUSTOMIZE, AUTOPKGTEST = "sbuild", "virt-customize", "boot and autopkgtest over ssh"
BEFORE_TESTS = ("Package Building", "Image Building")


@dataclass(frozen=True)
class Landed:
    """Seconds by the clock in the engine and by step; `cpu` by step is of the engine and what it started."""

    whole: float
    steps: dict[str, float]
    cpu: dict[str, float]
    kept: dict[str, int]


@dataclass
class ByHand:
    """What the bare tools took for the same uploads, and why a tool took nothing."""

    steps: dict[str, list[Spent]] = field(default_factory=dict)
    missing: str = ""

    def time(self, step: str, work: Callable[[], object]) -> None:
        """Do a step and remember what it took."""
        self.steps.setdefault(step, []).append(spent(work))

    def figures(self) -> list[Figure]:
        """A line for each tool."""
        found = [
            Figure(f"{PACKAGE} by hand: {step}", median([one.wall for one in took]), "s", "", _cpu_note(took))
            for step, took in self.steps.items()
        ]
        return [*found, *([Figure(f"{PACKAGE} by hand", 0, "", "", self.missing)] if self.missing else [])]

    def seconds(self, *steps: str) -> float:
        """The medians of these steps together; 0 if one of them was not done."""
        if any(step not in self.steps for step in steps):
            return 0.0
        return sum(median([one.wall for one in self.steps[step]]) for step in steps)


def run() -> list[Figure]:
    with scratch() as directory, throw_away_key() as key:
        shared = prepared(TEST_CACHE / "engine")
        lend(shared, directory / "data")
        with running_engine(directory) as engine:
            added = engine.command("uploader", "add", key.public_file)
            assert added.returncode == 0, added.stderr
            tools, by_hand = BareTools(TEST_CACHE / "bare-tools", _mirror(engine)), ByHand()
            landed = []
            for number in range(1, TICKETS + 1):
                place = directory / f"upload-{number}"
                place.mkdir(mode=0o755)
                suffix = f"+bench{number}"
                upload = make_upload(PACKAGE, suffix, mirror=_mirror(engine), directory=place, key=key)
                _by_hand(
                    by_hand, tools, upload, shared, directory / f"by-hand-{number}", last=number == TICKETS
                )
                landed.append(_land(engine, upload))
    return _figures(landed, by_hand)


def _mirror(engine: Engine) -> Mirror:
    settings = Config.from_environment({"UCI_DATA_DIR": str(engine.data_dir)})
    return Mirror(settings.data_dir / "cache" / "apt", settings.series, settings.mirror)


def _by_hand(
    by_hand: ByHand, tools: BareTools, upload: Upload, shared: Path, place: Path, *, last: bool
) -> None:
    """Build, install in an image and, for the last upload, boot and test with the bare tools."""
    if by_hand.missing:
        return
    shutil.copytree(upload.changes.parent, place, ignore=shutil.ignore_patterns("tree"))
    dsc, debs, key, overlay = next(place.glob("*.dsc")), [], place / "key", place / "image.qcow2"
    try:
        tools.prepare()
        run_program(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key])
        by_hand.time(SBUILD, lambda: debs.extend(tools.sbuild(dsc, place)))
        built = [deb for deb in debs if "-dbgsym" not in deb.name]
        base = next((shared / "images").glob("*/disk.qcow2"))
        public = key.with_suffix(".pub")
        by_hand.time(CUSTOMIZE, lambda: tools.virt_customize(base, built, overlay, key=public))
        if last:
            by_hand.time(AUTOPKGTEST, lambda: tools.test(overlay, key, dsc, built, place))
    except (ToolUnavailable, CIError, TimeoutError) as error:
        by_hand.missing = str(error)


def _land(engine: Engine, upload: Upload) -> Landed:
    assert engine.process
    ticket_id = submit(engine, upload.changes, add=[PACKAGE])
    cpu = _cpu_by_step(engine, engine.process.pid, ticket_id)
    ticket = engine.client.ticket(ticket_id)
    assert ticket["current_workflow_step"] == "1000", engine.log.read_text()[-4000:]
    steps = {name: took for name, took in seconds_by_step(ticket).items() if name != "New"}
    return Landed(seconds_in_the_engine(ticket), steps, cpu, _kept(engine.data_dir))


def _kept(data_dir: Path) -> dict[str, int]:
    """How many of the things are there that a later ticket need not make or fetch again."""
    cache = data_dir / "cache"
    lists = [path.stat().st_mtime_ns for path in cache.glob("apt/*/refreshed")]
    return {
        "base images": len([*data_dir.glob("images/*/disk.qcow2")]),
        "build roots": len([*cache.glob("builds/*/root")]),
        "layers of build dependencies": len([*cache.glob("builds/*/layers/*")]),
        "packages fetched from the mirror": len([*cache.glob("apt/*/archives/*.deb")]),
        "package lists fetched at": max(lists, default=0),
    }


def _figures(landed: Sequence[Landed], by_hand: ByHand) -> list[Figure]:
    first, again = landed[0], landed[-1]
    untested = sum(again.steps[step] for step in BEFORE_TESTS)
    return [
        *by_hand.figures(),
        *(
            Figure(f"{PACKAGE}: {step}", took, "s", "", _note(again.cpu.get(step, 0), first.steps[step]))
            for step, took in again.steps.items()
        ),
        _beside(f"{PACKAGE}: build, archive and image", untested, by_hand.seconds(SBUILD, CUSTOMIZE), 0.35),
        _beside(
            f"{PACKAGE}: the whole ticket", again.whole, by_hand.seconds(SBUILD, CUSTOMIZE, AUTOPKGTEST), 0.4
        ),
        Figure(f"{PACKAGE}: processor time without the machine's", sum(again.cpu.values()), "s"),
        Figure(f"{PACKAGE}: steps that the second ticket repeated", len(_repeated(first, again)), "", "0",
               ", ".join(_repeated(first, again))),
    ]  # fmt: skip


def _repeated(first: Landed, again: Landed) -> list[str]:
    """What there is more of after another ticket; a ticket's own image is none of it."""
    more = {name: again.kept[name] - count for name, count in first.kept.items()}
    more["base images"] = more.get("base images", 0) - 1
    return [name for name, count in more.items() if count > 0]


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


def _beside(name: str, took: float, bare: float, target: float) -> Figure:
    note = (
        f"{took / bare:.2f} of the {bare:.0f} s that the bare tools took"
        if bare
        else "nothing to compare with"
    )
    return Figure(name, took, "s", f"<= {target} of bare tools", note)


def _cpu_note(took: Sequence[Spent]) -> str:
    return f"{median([one.cpu for one in took]):.1f} s of processor; median of {len(took)}"


def _note(cpu: float, first: float) -> str:
    return f"{cpu:.1f} s of processor; {first:.1f} s for the first ticket"
