"""Plots as SVG, made on the server: no script, no style, and words for those who do not see them."""

from __future__ import annotations

from collections.abc import Callable

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from web_ui.domain.engine_page import StageRuns

WIDTH = 640
HEIGHT = 120
LEFT = 8
TOP = 30
BOTTOM = 8
GAP = 2
MAX_RUNS = 40


def stage_plot(runs: StageRuns, words: Callable[[float], str]) -> SafeString:
    """A bar for each recent run of a stage, the oldest at the left; `words` says seconds as people do."""
    shown = runs.runs[-MAX_RUNS:]
    longest = max((seconds for _, seconds, _ in shown), default=0.0) or 1.0
    step = (WIDTH - 2 * LEFT) / MAX_RUNS
    room = HEIGHT - TOP - BOTTOM
    bars = []
    for place, (ticket, seconds, well) in enumerate(shown):
        height = max(2.0, room * seconds / longest)
        bars.append(
            (
                f"s-{runs.stage}" if well else "bad",
                f"{LEFT + (MAX_RUNS - len(shown) + place) * step:.1f}",
                f"{HEIGHT - BOTTOM - height:.1f}",
                f"{step - GAP:.1f}",
                f"{height:.1f}",
                f"ticket {ticket}: {words(seconds)}{'' if well else ', failed'}",
            )
        )
    usual = HEIGHT - BOTTOM - room * runs.usual / longest
    label = f"{runs.label}: usually {words(runs.usual)}, at most {words(longest)}, in {len(shown)} landings"
    return format_html(
        '<svg class="plot" viewBox="0 0 {} {}" role="img" aria-label="{}">'
        '<text class="name" x="{}" y="16">{}</text><text x="{}" y="16" text-anchor="end">{}</text>'
        '<line class="grid" x1="{}" x2="{}" y1="{}" y2="{}"/>{}'
        '<line class="usual" x1="{}" x2="{}" y1="{}" y2="{}" stroke-dasharray="4 4"/></svg>',
        WIDTH,
        HEIGHT,
        label,
        LEFT,
        runs.label,
        WIDTH - LEFT,
        f"usually {words(runs.usual)}, longest {words(longest)}",
        LEFT,
        WIDTH - LEFT,
        HEIGHT - BOTTOM,
        HEIGHT - BOTTOM,
        format_html_join(
            "",
            '<rect class="{}" x="{}" y="{}" width="{}" height="{}" rx="1.5"><title>{}</title></rect>',
            bars,
        ),
        LEFT,
        WIDTH - LEFT,
        f"{usual:.1f}",
        f"{usual:.1f}",
    )
