"""`make fuzz`: every fuzz test with many new inputs, by hypothesis and then by atheris where it is installed.

    python -m tests.fuzz [INPUTS]      # at least so many in all (default 100,000)

Ends with status 1 and the failing input if a test fails. Pin what is found as
a test of its own beside the code that it is about.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import django
from django.test.utils import setup_databases
from hypothesis import given, settings

#: Inputs of a thousand bytes reach as far as larger ones, only sooner.
MAX_BYTES = 1024
INPUT_SECONDS = 20
SEEDS = 200
#: How many of the inputs are hypothesis's own, and how many each raw reader gets of atheris.
BY_HYPOTHESIS, BY_ATHERIS_RAW, BY_ATHERIS = 0.3, 0.14, 0.005


class Run:
    """Adds up what was run and what failed."""

    def __init__(self, inputs: int) -> None:
        self.inputs = inputs
        self.atheris = importlib.util.find_spec("atheris") is not None
        self.done = 0
        self.failed: list[str] = []

    def all_tests(self) -> None:
        """Every test by every way there is."""
        tests = list(_tests())
        own = BY_HYPOTHESIS if self.atheris else 1.2  # those that start programs run fewer
        os.environ["FUZZ_EXAMPLES"] = str(int(self.inputs * own / len(tests)) + 1)
        for module, name in tests:
            self._part(module, name, "--hypothesis", 0)
            if self.atheris:
                share = BY_ATHERIS_RAW if _test(module, name).raw_inputs is not None else BY_ATHERIS
                self._part(module, name, "--atheris", int(self.inputs * share))

    def _part(self, module: str, name: str, way: str, runs: int) -> None:
        started = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="uci-fuzz-") as directory:
            argv = [sys.executable, "-m", "tests.fuzz", way, module, name, str(runs), directory]
            with (Path(directory) / "log").open("w+b") as log:
                status = subprocess.run(argv, stdout=log, stderr=log, check=False).returncode
                log.seek(0)
                printed = log.read().decode(errors="replace")
            told = Path(directory) / "done"
            runs = int(told.read_text()) if told.exists() else 0
        if status:
            print(printed[-6000:])
            self.failed.append(f"{name} ({way[2:]})")
        self.done += runs
        print(f"{runs:7} {time.monotonic() - started:6.0f} s  {way[2:]:10}  {name}", flush=True)


def _tests() -> Iterator[tuple[str, str]]:
    for path in sorted(Path(__file__).parent.glob("test_*.py")):
        module = f"tests.fuzz.{path.stem}"
        for name, test in vars(importlib.import_module(module)).items():
            if hasattr(test, "raw_inputs"):
                yield module, name


def _test(module: str, name: str) -> Any:
    return getattr(importlib.import_module(module), name)


def _set_up(module: str) -> None:
    """Django, with a database for the tests that ask pytest for one."""
    django.setup()
    marks = getattr(importlib.import_module(module), "pytestmark", [])
    if any(mark.name == "django_db" for mark in marks):
        setup_databases(verbosity=0, interactive=False)


def _run_hypothesis(module: str, name: str, directory: Path) -> None:
    _set_up(module)
    test = _test(module, name)
    test()
    (directory / "done").write_text(str(test.examples))


def _run_atheris(module: str, name: str, runs: int, directory: Path) -> None:
    atheris = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["ci_utils", "test_runner", "ticket_system", "web_ui", "debian"]):
        _set_up(module)
        test = _test(module, name)
    corpus = directory / "corpus"
    corpus.mkdir()
    for number, seed in enumerate(_seeds(test)):
        (corpus / str(number)).write_bytes(seed)
    # libFuzzer ends the process itself; a run that fails counts all the same.
    (directory / "done").write_text(str(runs))
    raw = test.raw_inputs is not None
    limits = [f"-max_len={MAX_BYTES}", "-len_control=0", f"-timeout={INPUT_SECONDS}", "-rss_limit_mb=2048"]
    options = [f"-runs={runs}", *limits, f"-artifact_prefix={directory}/", str(corpus)]
    atheris.Setup(["fuzz", *options], test.hypothesis.inner_test if raw else test.hypothesis.fuzz_one_input)
    atheris.Fuzz()


def _seeds(test: Any) -> list[bytes]:
    """Inputs to begin with; for a test that is not raw just bytes that hypothesis makes choices of."""
    if test.raw_inputs is None:
        return [random.randbytes(MAX_BYTES) for _ in range(SEEDS)]
    seeds: list[bytes] = []

    @settings(max_examples=SEEDS, database=None)
    @given(test.raw_inputs)
    def collect(content: bytes) -> None:
        seeds.append(content)

    collect()
    return seeds


def main(arguments: list[str]) -> int:
    """Run all, or as a process of its own one test in one way."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    if arguments[:1] == ["--atheris"]:
        _run_atheris(arguments[1], arguments[2], int(arguments[3]), Path(arguments[4]))
        return 0
    if arguments[:1] == ["--hypothesis"]:
        _run_hypothesis(arguments[1], arguments[2], Path(arguments[4]))
        return 0
    django.setup()
    run = Run(int(arguments[0]) if arguments else 100_000)
    run.all_tests()
    print(f"{run.done} inputs; failed: {', '.join(run.failed) or 'none'}")
    return bool(run.failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
