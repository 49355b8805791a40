"""The benchmarks still run; what they measure is nobody's business here."""

from __future__ import annotations

import importlib

import pytest

from benchmarks import overhead, pipeline
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


def _landed(**kept: int) -> pipeline.Landed:
    return pipeline.Landed(3.0, {"Package Building": 1.0, "Image Building": 1.0}, {}, kept)


def test_what_a_second_ticket_repeats_is_counted() -> None:
    first = {"base images": 1, "layers": 2, "lists": 7}
    assert pipeline._repeated(_landed(**first), _landed(**first | {"base images": 2})) == []
    again = _landed(**first | {"base images": 3, "layers": 3})
    assert pipeline._repeated(_landed(**first), again) == ["base images", "layers"]


def test_a_tool_that_cannot_be_had_stands_in_the_table_with_its_reason() -> None:
    by_hand = pipeline.ByHand(missing="sbuild is not installed")
    by_hand.time(pipeline.SBUILD, lambda: None)
    rows = [figure.row() for figure in pipeline._figures([_landed(), _landed()], by_hand)]
    assert any("sbuild is not installed" in row for row in rows)
    assert any("nothing to compare with" in row for row in rows)
