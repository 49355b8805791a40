"""The benchmarks still run; what they measure is nobody's business here."""

from __future__ import annotations

import importlib

import pytest

from benchmarks import overhead
from benchmarks.__main__ import NAMES
from benchmarks.figures import HEADING, Figure


@pytest.mark.parametrize("name", NAMES)
def test_every_benchmark_can_be_run_by_its_name(name: str) -> None:
    assert callable(importlib.import_module(f"benchmarks.{name}").run)


@pytest.mark.parametrize(("value", "shown"), [(0.1234, "0.123"), (1, "1"), (12.34, "12.3"), (1234.5, "1234")])
def test_a_figure_is_a_line_of_a_table(value: float, shown: str) -> None:
    row = Figure("a claim", value, "ms", "< 10 ms", "median").row()
    assert row == f"| a claim | {shown} ms | < 10 ms | median |"
    assert row.count("|") == HEADING.split("\n")[0].count("|")


@pytest.mark.slow
def test_tickets_land_in_an_engine_whose_steps_do_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overhead, "TICKETS", 1)
    whole, *steps, processor = overhead.run()
    assert whole.value >= max(step.value for step in steps) > 0
    assert processor.value > 0
